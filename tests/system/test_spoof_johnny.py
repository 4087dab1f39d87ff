"""“Johnny, you are fired”: signatures that are good, of something else than what is shown, or of somebody else
than who is shown.

REQ-22 REQ-42 REQ-45 REQ-46 REQ-47 REQ-48 REQ-65 REQ-76 REQ-81
"""
import pytest

import forge
from partners import DCA
from sealgate.process import wait_for
from setting import A, B, FROM_A, OUTSIDE, simple
from spoof import (EVIL, MESSAGE, OPAQUE, SECRET, UNCHANGED, VERIFIED, VICTIM, Attack, Attacks, multipart,
                   spoof_fixture, wire)
from test_mail_hostile import Lines, vouched

ATTACKS = Attacks()
EVIL_FROM, VICTIM_FROM, STRANGER = f"joe@{EVIL}", f"joe@{VICTIM}", f"x@{OUTSIDE}"
CEO = f"ceo@{VICTIM}"
MAORI, MAORI_A = "m\u0101tou.test", "m\u0101tou".encode("idna").decode() + ".test"

PLAIN = b"Content-Type: text/plain\r\n\r\nWhat was signed.\r\n"
FORGED = b"Forged-Marker-9160"
EXTRA = b"Content-Type: text/html\r\n\r\n<b>" + FORGED + b"</b>\r\n"

setting, sent = spoof_fixture(), ATTACKS.fixture()


def attack(name, make):
    make.__name__ = name
    ATTACKS.add(make)


def seal(s, entity):
    return forge.sealed(entity, s.agency[B])


def by(s, *signers, content=PLAIN):
    return seal(s, forge.detached(content, list(signers)))


# Whose name stands there ---------------------------------------------------------------------------

# A member signs and seals, as it may: From plays with another member's name. What is claimed is the domain
# of the one address in From.
for trick, value in {
        "display-name": f'"{CEO}" <{EVIL_FROM}>',
        "display-name-in-angles": f'"{CEO} <{CEO}>" <{EVIL_FROM}>',
        "encoded-word": f"=?utf-8?q?ceo=40member=2Etest_=3Cceo=40member=2Etest=3E?= <{EVIL_FROM}>",
        "comment-in-front": f"({CEO}) {EVIL_FROM}",
        "comment-behind": f"{EVIL_FROM} ({CEO})",
        "quoted-local-part": f'"{CEO}"@{EVIL}',
        "local-part-of-percent": f"ceo%{VICTIM}@{EVIL}",
        "named-group": f'"{VICTIM}": {EVIL_FROM};',
        "folded": f'"{CEO}"\r\n <{EVIL_FROM}>',
        "in-capitals": EVIL_FROM.upper(),
}.items():
    attack(f"shown-as-{trick}", lambda s, value=value: Attack(
        by(s, s.evil), value, "", "verified", VERIFIED, domain=EVIL, content=PLAIN, direct=True))

# … or has it among its addresses: nobody's word.
for trick, value in {
        "second-mailbox": f"{EVIL_FROM}, {CEO}",
        "first-mailbox": f"{CEO}, {EVIL_FROM}",
        "group-of-two": f"Board: {EVIL_FROM}, {CEO};",
        "cyrillic-letter": "ceo@m\u0435mber.test",
        "domain-above": f"ceo@{EVIL.partition('.')[2]}",
        "domain-with-it-inside": f"ceo@{VICTIM}.{EVIL}",
}.items():
    attack(f"signed-for-{trick}", lambda s, value=value: Attack(
        by(s, s.evil), value, "002", "signer-mismatch", MESSAGE, direct=True))

# From that one reader reads so, and another one otherwise: nobody's word, whoever signed.
for trick, fields in {
        "two-fields": f"From: {EVIL_FROM}\r\nFrom: {CEO}\r\n",
        "two-fields-turned": f"From: {CEO}\r\nFrom: {EVIL_FROM}\r\n",
        "two-of-the-same": f"From: {EVIL_FROM}\r\nfrom: {EVIL_FROM}\r\n",
        "route": f"From: <@{VICTIM}:{EVIL_FROM}>\r\n",
        "nul": f"From: {CEO}\0@{EVIL}\r\n",
        "nul-behind": f"From: {EVIL_FROM}\0, {CEO}\r\n",
        "blank-in-the-address": f"From: {CEO} @{EVIL}\r\n",
        "comment-in-the-address": f"From: ceo@{VICTIM}(x).{EVIL}\r\n",
        "final-dot": f"From: {EVIL_FROM}.\r\n",
        "unclosed": f"From: <{EVIL_FROM}\r\n",
        "two-angles": f"From: <{CEO}> <{EVIL_FROM}>\r\n",
        "no-latin-1": "From: joe@partner.test\xa0\r\n",
}.items():
    attack(f"from-of-{trick}", lambda s, fields=fields: Attack(
        by(s, s.evil), "", "002", "from-unreadable", MESSAGE, from_fields=fields.encode("latin-1"),
        direct=True))


@ATTACKS.add
def no_from_at_all(s):
    return Attack(by(s, s.evil), "", "002", "signer-mismatch", MESSAGE, from_fields=b"", direct=True)


@ATTACKS.add
def other_fields_of_origin(s):
    """Sender, Reply-To, Resent-From and List-Id are nobody's word: From alone is (REQ-47)."""
    more = f"Sender: {CEO}\r\nResent-From: {CEO}\r\nReply-To: {CEO}\r\nReturn-Path: <{CEO}>\r\n"
    return Attack(by(s, s.evil), EVIL_FROM, "", "verified", VERIFIED, domain=EVIL, content=PLAIN,
                  fields=more.encode())


@ATTACKS.add
def sender_of_the_signer(s):
    """REQ-47: the signer is Sender's domain, From is another's."""
    return Attack(by(s, s.evil), CEO, "002", "signer-mismatch", MESSAGE,
                  fields=f"Sender: {EVIL_FROM}\r\n".encode())


@ATTACKS.add
def inner_from(s):
    """Fields of the signed entity itself: nobody's word, and gone."""
    content = (f"From: {CEO}\r\nSubject: {FORGED.decode()}\r\nX-Sealgate-Verdict: verified; domain={VICTIM}"
               f"\r\nX-NZ-Secure-email: 1.0\r\nReceived: {FORGED.decode()}\r\n").encode() + PLAIN
    return Attack(by(s, s.evil, content=content), EVIL_FROM, "", "verified", VERIFIED, domain=EVIL,
                  content=PLAIN, absent=(FORGED, CEO.encode()))


@ATTACKS.add
def header_protection(s):
    """RFC 8551 section 3.1: a whole message inside; what it says of itself stays inside."""
    content = (f"Content-Type: message/rfc822; forwarded=no\r\n\r\nFrom: {CEO}\r\nSubject: inside\r\n"
               ).encode() + PLAIN
    return Attack(by(s, s.evil, content=content), EVIL_FROM, "", "verified", VERIFIED, domain=EVIL,
                  content=content)


@ATTACKS.add
def protected_headers_of_rfc_9788(s):
    content = (f"From: {CEO}\r\nSubject: {FORGED.decode()}\r\nHP-Outer: From: {CEO}\r\n"
               "Content-Type: text/plain; hp=\"cipher\"\r\n\r\nText.\r\n").encode()
    return Attack(by(s, s.evil, content=content), EVIL_FROM, "", "verified", VERIFIED, domain=EVIL,
                  absent=(FORGED, CEO.encode()))


# From that means a member whatever way it is written: unsigned, and said to be.
for trick, domain in {
        "capitals": VICTIM.upper(), "folded": f"{VICTIM}\r\n ", "u-label": MAORI,
        "u-label-in-capitals": "M\u0100TOU.test", "u-label-decomposed": "ma\u0304tou.test",
        "a-label": MAORI_A, "a-label-in-capitals": MAORI_A.upper(),
        "full-width": "ｍｅｍｂｅｒ.test", "ideographic-stop": "member\u3002test",
        "ideographic-root": "member.test\u3002", "soft-hyphen": "mem\u00adber.test", "zero-width-blank": "mem\u200bber.test",
}.items():
    attack(f"unsigned-from-{trick}", lambda s, domain=domain: Attack(
        PLAIN, f"ceo@{domain}", "002", "member-unsigned", MESSAGE, direct=True))


@ATTACKS.add
def unsigned_from_lookalike(s):
    """A name that only looks like a member's is another's: nothing is said of it, so nothing is claimed."""
    return Attack(PLAIN, "ceo@m\u0435mber.test", "", "not-secure-email", UNCHANGED, direct=True)


@ATTACKS.add
def unsigned_from_no_name(s):
    """What is no domain name in any reading: nobody's."""
    return Attack(PLAIN, "ceo@member\u2024.test", "002", "from-unreadable", MESSAGE, direct=True)


@ATTACKS.add
def signed_by_its_own_u_label(s):
    """The right way round: the certificate has the A-label, From the U-label."""
    own = s.authority.certificate_for([f"{DCA}@{MAORI_A}"], s.folder)
    return Attack(by(s, own), f"joe@{MAORI}", "", "verified", VERIFIED, domain=MAORI_A, content=PLAIN,
                  direct=True)


# Whose certificate it is ---------------------------------------------------------------------------

# All by a CA that is accredited; none is the authority of the domain in From.
for trick, names in {
        "blank-in-front": [f" {DCA}@{VICTIM}"], "blank-behind": [f"{DCA}@{VICTIM} "],
        "line-end": [f"{DCA}@{VICTIM}\n"], "tab-inside": [f"{DCA}@\t{VICTIM}"],
        "nul": [f"{DCA}@{VICTIM}\0.{EVIL}"], "nul-behind": [f"{DCA}@{VICTIM}\0"],
        "two-in-one": [f"{DCA}@{EVIL},{DCA}@{VICTIM}"], "angles": [f"<{DCA}@{VICTIM}>"],
        "wildcard": [f"{DCA}@*.test"], "wildcard-alone": [f"{DCA}@*"], "domain-alone": [VICTIM],
        "final-dot": [f"{DCA}@{VICTIM}."], "two-ats": [f"{DCA}@{EVIL}@{VICTIM}"],
        "persons-second-name": [f"{DCA}@{EVIL}", f"joe@{VICTIM}"],
        "persons-first-name": [f"joe@{VICTIM}", f"{DCA}@{EVIL}"],
        "persons-name-alone": [f"joe@{VICTIM}"],
        "none": [],
}.items():
    attack(f"certificate-of-{trick}", lambda s, names=names: Attack(
        by(s, s.authority.certificate_for(names, s.folder)), CEO, "002", "signer-mismatch", MESSAGE))


@ATTACKS.add
def certificate_of_the_subjects_address(s):
    """emailAddress in the subject says one thing, the rfc822Name another: the second counts (RFC 8550 section 3)."""
    own = s.authority.certificate_for([f"{DCA}@{EVIL}"], s.folder,
                                      subject_addresses=[f"{DCA}@{VICTIM}"])
    return Attack(by(s, own), CEO, "002", "signer-mismatch", MESSAGE)


@ATTACKS.add
def certificate_with_the_subjects_address_alone(s):
    """The right way round (REQ-47)."""
    own = s.authority.certificate_for([], s.folder, subject_addresses=[f"{DCA}@{EVIL}"])
    return Attack(by(s, own), EVIL_FROM, "", "verified", VERIFIED, domain=EVIL, content=PLAIN)


@ATTACKS.add
def certificate_of_a_person(s):
    """A person's signature is left on; no domain's word is in it."""
    person = s.authority.certificate_for([CEO], s.folder, common_name="The Chief")
    return Attack(by(s, person), CEO, "002", "member-unsigned", MESSAGE)


@ATTACKS.add
def certificate_that_nobody_vouches_for(s):
    own = forge.self_made([f"{DCA}@{VICTIM}"], s.folder)
    return Attack(by(s, own), CEO, "102", "signer-untrusted", MESSAGE)


@ATTACKS.add
def certificate_by_a_constrained_authority(s):
    """An accredited CA's CA, for the addresses of EVIL alone, issues for another domain."""
    below = s.authority.below(s.folder, [EVIL])
    own = below.certificate_for([f"{DCA}@{VICTIM}"], s.folder)
    return Attack(by(s, own), CEO, "102", "signer-untrusted", MESSAGE)


@ATTACKS.add
def certificate_by_another_member(s):
    """A member's own certificate is no CA's."""
    own = forge.Authority(forge.load(s.evil.certificate), forge.load_key(s.evil.key),
                          s.platform.refca.crl_url, [s.evil.certificate, *s.evil.chain])
    return Attack(by(s, own.certificate_for([f"{DCA}@{VICTIM}"], s.folder)), CEO, "102",
                  "signer-untrusted", MESSAGE)


# What the signature is over ------------------------------------------------------------------------


@ATTACKS.add
def text_around_the_signed_parts(s):
    """Preamble and epilogue: only what was signed is delivered."""
    entity = forge.detached(PLAIN, [s.evil])
    head, _, body = entity.partition(b"\r\n\r\n")
    return Attack(seal(s, head + b"\r\n\r\n" + EXTRA + b"\r\n" + body + EXTRA), EVIL_FROM, "", "verified",
                  VERIFIED, domain=EVIL, content=PLAIN, absent=(FORGED,))


@ATTACKS.add
def unsigned_parts_beside_a_signed_one(s):
    """multipart/mixed with a victim's signed mail among its parts, sealed: as good as unsigned."""
    entity = multipart(b"mixed", EXTRA, forge.detached(PLAIN, [s.victim]), EXTRA)
    return Attack(seal(s, entity), VICTIM_FROM, "002", "member-unsigned", OPAQUE, absent=(FORGED,))


@ATTACKS.add
def unsigned_parts_beside_a_signed_one_in_the_open(s):
    entity = multipart(b"mixed", EXTRA, forge.detached(PLAIN, [s.victim]), EXTRA)
    return Attack(entity, VICTIM_FROM, "002", "member-unsigned", MESSAGE)


@ATTACKS.add
def signed_mail_as_an_attachment(s):
    entity = multipart(b"mixed", EXTRA, b"Content-Type: message/rfc822\r\n\r\n"
                       + f"From: {VICTIM_FROM}\r\n".encode() + s.genuine())
    return Attack(entity, VICTIM_FROM, "002", "member-unsigned", MESSAGE)


@ATTACKS.add
def three_parts(s):
    """A third part behind the signature: some show it, so nobody's word is in it."""
    entity = forge.detached(PLAIN, [s.victim])
    mark = entity[entity.rindex(b"\r\n--") + 2:].rstrip(b"-\r\n")
    entity = entity[:entity.rindex(mark)] + mark + b"\r\n" + EXTRA + mark + b"--\r\n"
    return Attack(seal(s, entity), VICTIM_FROM, "003", "not-opened", MESSAGE, absent=(FORGED, SECRET))


def bounded(s, boundary, text, parameters=None):
    """multipart/signed of the victim, whose parts are put together by hand."""
    head = b"Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; "
    signature = forge.entity(forge.signed_data(None, [forge.signer(s.victim, PLAIN)],
                                               forge.certificates_of(s.victim)), "signed-data")
    signature = b"Content-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\n" \
        + signature.partition(b"\r\n\r\n")[2]
    mark = b"--" + boundary
    return head + (parameters or b"boundary=" + boundary) + b"\r\n\r\n" + text(mark, signature)


def honest(mark, signature):
    return mark + b"\r\n" + PLAIN + b"\r\n" + mark + b"\r\n" + signature + mark + b"--\r\n"


# Ways to have a client split the message otherwise: what is delivered is what was signed, and nothing else
for trick, make in {
        "two-boundaries": lambda s: bounded(s, b"one", lambda m, g: honest(m, g) + b"--two\r\n" + EXTRA
                                            + b"--two--\r\n", b"boundary=one; boundary=two"),
        "boundary-in-pieces": lambda s: bounded(s, b"onetwo", honest, b"boundary*0=one; boundary*1=two"),
        "boundary-with-a-charset": lambda s: bounded(s, b"one", honest, b"boundary*=us-ascii''one"),
        "boundary-with-a-comment": lambda s: bounded(s, b"one", honest, b"(boundary=two) boundary=one"),
        "boundary-within-another": lambda s: bounded(s, b"one", lambda m, g: b"--onetwo\r\n" + EXTRA
                                                     + b"--onetwo--\r\n" + honest(m, g)),
        "delimiter-with-blanks": lambda s: bounded(s, b"one", lambda m, g: honest(m, g).replace(
            m + b"\r\n", m + b" \t\r\n")),
        "two-content-types": lambda s: bounded(s, b"one", honest).replace(
            b"\r\n\r\n", b"\r\nContent-Type: text/html\r\n\r\n", 1),
        "encoding-of-the-whole": lambda s: b"Content-Transfer-Encoding: base64\r\n" + bounded(
            s, b"one", honest),
        "wrong-micalg": lambda s: bounded(s, b"one", honest).replace(b"micalg=sha-256", b"micalg=md5"),
        "no-micalg": lambda s: bounded(s, b"one", honest).replace(b"micalg=sha-256; ", b""),
        "disposition": lambda s: b"Content-Disposition: attachment; filename=x.html\r\n" + bounded(
            s, b"one", honest),
}.items():
    attack(f"split-{trick}", lambda s, make=make: Attack(
        seal(s, make(s)), VICTIM_FROM, "", "verified", VERIFIED, domain=VICTIM, content=PLAIN,
        absent=(FORGED,)))

# … or it is not read at all
for trick, code, rule, shown, make in [
        ("other-boundary", "003", "not-opened", MESSAGE,
         lambda s: bounded(s, b"one", lambda m, g: honest(b"--two", g))),
        ("no-boundary", "003", "not-opened", MESSAGE, lambda s: bounded(s, b"one", honest, b"x=one")),
        ("no-line-end-in-front", "003", "not-opened", MESSAGE,
         lambda s: bounded(s, b"one", lambda m, g: b"x" + honest(m, g))),
        ("not-closed", "003", "not-opened", MESSAGE,
         lambda s: bounded(s, b"one", lambda m, g: honest(m, g).replace(m + b"--", b""))),
        ("second-content-type", "002", "member-unsigned", OPAQUE,
         lambda s: b"Content-Type: text/html\r\n" + bounded(s, b"one", honest)),
        ("protocol-of-others", "002", "member-unsigned", OPAQUE,
         lambda s: bounded(s, b"one", honest).replace(b"pkcs7-signature\"; m", b"pgp-signature\"; m")),
]:
    attack(f"split-{trick}", lambda s, code=code, rule=rule, shown=shown, make=make: Attack(
        seal(s, make(s)), VICTIM_FROM, code, rule, shown, absent=(FORGED, b"What was signed")
        if shown == OPAQUE else (FORGED,)))


# The CMS object ------------------------------------------------------------------------------------


def forged_signer(s, content=PLAIN):
    """The victim's certificate named, EVIL's key used."""
    return forge.signer(s.evil, content, claims=s.victim)


for trick, code, rule, shown, make in [
        # Several signers: the first domain's decides, and none may be bad
        ("good-of-evil-then-forged", "003", "altered-inside", OPAQUE,
         lambda s: ([s.evil, s.victim], [forge.signer(s.evil, PLAIN), forged_signer(s)])),
        ("forged-then-good-of-evil", "003", "altered-inside", OPAQUE,
         lambda s: ([s.victim, s.evil], [forged_signer(s), forge.signer(s.evil, PLAIN)])),
        ("forged-alone", "003", "altered-inside", OPAQUE,
         lambda s: ([s.victim], [forged_signer(s)])),
        ("without-its-certificate", "002", "member-unsigned", OPAQUE,
         lambda s: ([s.victim], [forge.signer(s.evil, PLAIN)])),
        # REQ-82: the victim's certificate is found for it, and it is not the victim's signature
        ("forged-without-a-certificate", "003", "altered-inside", OPAQUE,
         lambda s: ([s.evil], [forged_signer(s)])),
        # Signed attributes
        ("digest-of-other-content", "003", "altered-inside", OPAQUE,
         lambda s: ([s.victim], [forge.signer(s.victim, PLAIN, forge.attributes(EXTRA))])),
        ("two-digests", "003", "not-opened", MESSAGE,
         lambda s: ([s.victim], [forge.signer(s.victim, PLAIN, forge.attributes(
             EXTRA, more=[forge.seq(forge.MESSAGE_DIGEST, forge.set_of(
                 forge.octets(forge.sha256(PLAIN))))]))])),
        ("two-values-of-a-digest", "003", "not-opened", MESSAGE,
         lambda s: ([s.victim], [forge.signer(s.victim, PLAIN, forge.set_of(
             forge.seq(forge.CONTENT_TYPE, forge.set_of(forge.DATA)),
             forge.seq(forge.MESSAGE_DIGEST, forge.set_of(
                 forge.octets(forge.sha256(PLAIN)), forge.octets(forge.sha256(EXTRA))))))])),
        ("no-digest", "003", "not-opened", MESSAGE,
         lambda s: ([s.victim], [forge.signer(s.victim, PLAIN, forge.set_of(
             forge.seq(forge.CONTENT_TYPE, forge.set_of(forge.DATA))))])),
        ("other-content-type-attribute", "003", "altered-inside", OPAQUE,
         lambda s: ([s.victim], [forge.signer(s.victim, PLAIN, forge.attributes(PLAIN, forge.SIGNED))])),
]:
    def make_both(s, code=code, rule=rule, shown=shown, make=make):
        identities, signers = make(s)
        return Attack(seal(s, forge.detached(PLAIN, identities, signers)), VICTIM_FROM, code, rule, shown,
                      absent=(b"What was signed",))
    attack(f"cms-{trick}", make_both)
    if trick == "good-of-evil-then-forged":
        attack(f"cms-{trick}-as-evil", lambda s, make=make: Attack(
            seal(s, forge.detached(PLAIN, *make(s))), EVIL_FROM, "003", "altered-inside", OPAQUE))


@ATTACKS.add
def cms_attributes_as_content(s):
    """The victim's signed attributes themselves, as a content without attributes: the signature is good."""
    attrs = forge.attributes(PLAIN)
    signer = forge.signer(s.victim, attrs, b"", signature=forge.signature_of(s.victim, attrs))
    return Attack(seal(s, forge.opaque(attrs, [s.victim], [signer])), VICTIM_FROM, "003", "not-opened",
                  MESSAGE)


@ATTACKS.add
def cms_no_attributes(s):
    """Without signed attributes the signature is over the content itself: allowed (RFC 5652 section 5.3)."""
    entity = forge.detached(PLAIN, [s.victim], [forge.signer(s.victim, PLAIN, b"")])
    return Attack(seal(s, entity), VICTIM_FROM, "", "verified", VERIFIED, domain=VICTIM, content=PLAIN)


@ATTACKS.add
def cms_signed_for_something_else(s):
    """What the victim's key signed as another thing than mail (a request to its CA) is no mail of its."""
    signer = forge.signer(s.victim, PLAIN, forge.attributes(PLAIN, forge.PKI_DATA))
    entity = forge.opaque(PLAIN, [s.victim], [signer], kind=forge.PKI_DATA)
    return Attack(seal(s, entity), VICTIM_FROM, "002", "unsupported", MESSAGE)


@ATTACKS.add
def cms_detached_with_a_content_of_its_own(s):
    """The signature covers its own content, the client shows the first part."""
    entity = forge.detached(EXTRA, [])
    signature = forge.signed_data(PLAIN, [forge.signer(s.victim, PLAIN)], forge.certificates_of(s.victim))
    entity = forge.peers.signed_entity(EXTRA, signature, "sha256")
    return Attack(seal(s, entity), VICTIM_FROM, "003", "not-opened", MESSAGE, absent=(FORGED,))


@ATTACKS.add
def cms_opaque_of_nothing(s):
    return Attack(seal(s, forge.opaque(b"", [s.victim])), VICTIM_FROM, "003", "not-opened", MESSAGE)


@ATTACKS.add
def cms_opaque_without_content(s):
    entity = forge.entity(forge.signed_data(None, [forge.signer(s.victim, b"")],
                                            forge.certificates_of(s.victim)), "signed-data")
    return Attack(seal(s, entity), VICTIM_FROM, "003", "not-opened", MESSAGE)


@ATTACKS.add
def cms_certificates_alone(s):
    """SignedData with a certificate and no signer."""
    entity = forge.opaque(PLAIN, [s.victim], [])
    return Attack(seal(s, entity), VICTIM_FROM, "003", "not-opened", MESSAGE)


@ATTACKS.add
def cms_certificates_alone_in_the_open(s):
    entity = forge.opaque(PLAIN, [s.victim], []).replace(b"signed-data", b"certs-only")
    return Attack(entity, VICTIM_FROM, "002", "member-unsigned", MESSAGE)


@ATTACKS.add
def cms_envelope_named_as_certificates(s):
    """smime-type says certs-only, the object is an envelope: it is not opened behind our back."""
    entity = by(s, s.victim).replace(b"smime-type=enveloped-data", b"smime-type=certs-only")
    return Attack(entity, VICTIM_FROM, "002", "member-unsigned", MESSAGE, absent=(b"What was signed",))


@ATTACKS.add
def cms_opaque(s):
    """The right way round."""
    return Attack(seal(s, forge.opaque(PLAIN, [s.victim])), VICTIM_FROM, "", "verified", VERIFIED,
                  domain=VICTIM, content=PLAIN)


# One signature in another --------------------------------------------------------------------------


@ATTACKS.add
def nested_victim_in_evil(s):
    """EVIL signs what the victim signed: the outer signature is the word of the message."""
    entity = forge.detached(wire(forge.detached(PLAIN, [s.victim])), [s.evil])
    return Attack(seal(s, entity), VICTIM_FROM, "002", "signer-mismatch", MESSAGE)


@ATTACKS.add
def nested_evil_in_forged_victim(s):
    inner = forge.detached(PLAIN, [s.evil])
    entity = forge.detached(inner, [s.victim], [forged_signer(s, inner)])
    return Attack(seal(s, entity), VICTIM_FROM, "003", "altered-inside", OPAQUE)


@ATTACKS.add
def nested_in_a_persons(s):
    """A person's signature around EVIL's content does not make it the person's domain's."""
    person = s.authority.certificate_for([CEO], s.folder, common_name="The Chief")
    entity = forge.detached(forge.detached(PLAIN, [s.evil]), [person])
    return Attack(seal(s, entity), VICTIM_FROM, "002", "member-unsigned", MESSAGE)


@ATTACKS.add
def persons_in_a_domains(s):
    """REQ-87, 88: the domain's goes, the person's stays on."""
    person = s.authority.certificate_for([EVIL_FROM], s.folder, common_name="Joe")
    inner = forge.detached(PLAIN, [person])
    return Attack(by(s, s.evil, content=inner), EVIL_FROM, "", "verified", VERIFIED, domain=EVIL,
                  content=inner)


# What imitates us ----------------------------------------------------------------------------------

IMITATION = ("Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
             "<div style='position:fixed;top:0'>VERIFIED MESSAGE \u2013 verified; domain=member.test"
             "</div><!-- UNVERIFIED MESSAGE \u2013 [Code: 000] -->\r\n").encode()


@ATTACKS.add
def imitation_of_a_verdict(s):
    """A page that says it is verified: from a stranger nothing is added; the verdict is a header of ours."""
    return Attack(IMITATION, STRANGER, "", "not-secure-email", UNCHANGED)


@ATTACKS.add
def imitation_of_a_verdict_as_a_member(s):
    """The warning is a part of its own in front, which the page cannot cover."""
    return Attack(IMITATION, VICTIM_FROM, "002", "member-unsigned", MESSAGE)


@ATTACKS.add
def imitation_of_our_boundary(s):
    """Delimiters like ours in the attached message: ours cannot be guessed."""
    body = b"--bnd_0000000000000000000000000\r\n" + EXTRA + b"--bnd_0000000000000000000000000--\r\n"
    return Attack(b"Content-Type: text/plain\r\n\r\n" + body, VICTIM_FROM, "002", "member-unsigned",
                  MESSAGE)


@pytest.fixture(scope="module", autouse=True)
def members(setting):
    """A member whose name is no ASCII."""
    setting.platform.api.post("/v1/member-domains", {"name": MAORI_A, "environment": "seemail"})


def test_recipient_of_a_member_in_another_way_of_writing(setting, members):
    """REQ-62: a member's name as a U-label is a member's: sealed or held (it has no certificate), never plain."""
    message = vouched(setting, f"joe@{A}", "3ULabel") + simple(f"joe@{A}", [f"ann@{MAORI_A}"], "to-u-label")
    lmtp = Lines("127.0.0.1", setting.platform.port["outbound"])
    assert lmtp.say("LHLO out.test").startswith("250")
    assert lmtp.say(f"XFORWARD IDENT=3ULabel ADDR={FROM_A}").startswith("250")
    lmtp.transaction(f"joe@{A}", [f"ann@{MAORI}"], message, " SMTPUTF8")
    assert lmtp.reply().startswith("250")
    lmtp.close()
    held, = wait_for(lambda: [h for h in setting.a.held(state="held")
                              if h["recipient_domain"] == MAORI_A], 30, "held mail")
    assert held["reason"].startswith("20")


@pytest.mark.parametrize("name", ATTACKS.names)
def test_nobody_is_taken_for_another(members, sent, name):
    """What is claimed is the domain of the one From address, of the octets that its authority signed."""
    sent.check(name)
