"""What went wrong in products like this one (CVE-2026-2748, -27443, -29143, -29141, -29140), and must not here.

An address in a certificate with white space or a NUL taken for a match, for signatures and for encryption;
fields inside a message believed; a forged result in a field or in the Subject kept; a certificate out of an
attacker's signature used to encrypt to the member it names. (CVE-2026-44127 and -44128 are of a portal on the
host that has the keys: there is none here, hsmd has no network.)
REQ-12 REQ-36 REQ-46 REQ-50 REQ-60 REQ-69 REQ-76
"""
import email
import email.header
import re
import subprocess

import pytest

import forge
from conftest import BUILD
from partners import DCA, Partner
from sealgate.process import wait_for
from setting import A, B, OUTSIDE, header, simple
from spoof import (EVIL, MESSAGE, UNCHANGED, VERIFIED, VICTIM, Attack, Attacks, only, spoof_fixture)

ATTACKS = Attacks()
EVIL_FROM, VICTIM_FROM, STRANGER = f"joe@{EVIL}", f"joe@{VICTIM}", f"x@{OUTSIDE}"
PLAIN = b"Content-Type: text/plain\r\n\r\nWhat was signed.\r\n"
CLAIM = f"verified; domain={VICTIM}"

QUIET = "quiet.test"       # a member without a certificate
# Addresses that are not the domain's authority
TRICKS = {"blank": "{dca}@{domain} ", "nul": "{dca}@{domain}\0.evil.test", "line": "{dca}@{domain}\n",
          "person": "joe@{domain}", "other": "{dca}@{domain}.evil.test"}

setting, sent = spoof_fixture(QUIET, *(f"{trick}.test" for trick in TRICKS)), ATTACKS.fixture()


# Forged results ------------------------------------------------------------------------------------

RESULTS = {
    "verdict": f"X-Sealgate-Verdict: {CLAIM}",
    "verdict-in-capitals": f"X-SEALGATE-VERDICT: {CLAIM}",
    "verdict-in-small-letters": f"x-sealgate-verdict:{CLAIM}",
    "verdict-with-a-blank": f"X-Sealgate-Verdict : {CLAIM}",
    "verdict-folded": f"X-Sealgate-Verdict:\r\n\t{CLAIM}",
    "verdict-twice": f"X-Sealgate-Verdict: {CLAIM}\r\nX-Sealgate-Verdict: {CLAIM}",
    "id": "X-Sealgate-Id: msg_00000000000000000000000000",
    "proof": "X-Sealgate-Submission: v=1; x",
    "anything-of-ours": "X-Sealgate-Whatever: yes",
}


def result(name, field, sender, code, rule, shown):
    def make(s):  # pylint: disable=unused-argument
        return Attack(PLAIN, sender, code, rule, shown, fields=f"{field}\r\n".encode(), direct=True,
                      absent=(CLAIM.encode(), b"msg_00000", b"Whatever"))
    make.__name__ = name
    ATTACKS.add(make)


for trick, forged in RESULTS.items():
    # A field of ours is a claim, so it is answered by the warning, and gone
    result(f"stranger-with-{trick}", forged, STRANGER, "002", "claim-unproved", MESSAGE)
for trick, forged in {"claim": "X-NZ-Secure-email: 1.0", "claim-in-capitals": "X-NZ-SECURE-EMAIL:1.0",
                      "claim-with-a-blank": "X-NZ-Secure-email : 1.0",
                      "seemail-version": "X-SEEMail-Version: 2.0"}.items():
    result(f"stranger-with-{trick}", forged, STRANGER, "002", "claim-unproved", MESSAGE)
    result(f"member-with-{trick}", forged, VICTIM_FROM, "002", "member-unsigned", MESSAGE)


@ATTACKS.add
def verdict_beside_a_good_signature(s):
    """A member that is verified does not say of whom."""
    entity = forge.sealed(forge.detached(PLAIN, [s.evil]), s.agency[B])
    return Attack(entity, EVIL_FROM, "", "verified", VERIFIED, domain=EVIL, content=PLAIN,
                  fields=f"X-Sealgate-Verdict: {CLAIM}\r\n".encode(), absent=(CLAIM.encode(),))


@ATTACKS.add
def results_of_others(s):
    """Authentication-Results and the like of others' systems are none of our business (REQ-12)."""
    fields = (f"Authentication-Results: in.test; dkim=pass header.d={VICTIM}\r\n"
              "X-Spam-Status: No\r\nX-Verified: yes\r\n").encode()
    return Attack(PLAIN, STRANGER, "", "not-secure-email", UNCHANGED, fields=fields)


def behind_a_line(direct):
    """A line that is no field ends the header; some readers go on behind it and find a verdict there."""
    fields = f"this is no field\r\nX-Sealgate-Verdict: {CLAIM}\r\n".encode()
    return Attack(PLAIN, STRANGER, "", "not-secure-email", "", fields=fields, direct=direct)


@pytest.mark.parametrize("name", ATTACKS.names)
def test_results_that_are_not_ours(sent, name):
    """Nothing that only this gateway may say comes from outside and stays."""
    sent.check(name)


@pytest.mark.parametrize("direct", [False, True], ids=["through-postfix", "straight"])
def test_result_behind_a_line_that_is_no_field(sent, setting, direct):
    """Invariant 5: what is behind the end of the header is body for every reader."""
    name = f"behind-a-line-{direct}"
    message = sent.message(name, behind_a_line(direct))
    if direct:
        assert setting.lmtp("3Behind", STRANGER, f"ann@{B}", message).startswith("250")
    else:
        setting.from_outside(STRANGER, [f"ann@{B}"], message)
    raw = setting.arrived(B, name)[0].raw
    assert b"X-Sealgate-Verdict" not in raw.partition(b"\r\n\r\n")[0]
    assert raw.partition(b"\r\n\r\n")[2].startswith(b"this is no field\r\n")


# Subject tags --------------------------------------------------------------------------------------

TAGGED = {  # what came → what a reader shows
    "[signed OK] Pay now": "Pay now",
    "Pay [signed OK] now": "Pay now",
    "[SIGNED ok]": "",
    "Re: [signed\t OK][verified] Pay": "Re: Pay",
    "[SEEMail] Pay": "Pay",
    "[SecureMail]Pay": "Pay",
    "[signed\r\n OK] Pay": "Pay",
    "[sig[verified]ned OK] Pay": "Pay",
    "[veri[verified[verified]]fied] Pay": "Pay",
    "=?utf-8?q?=5Bsigned_OK=5D_Pay?=": "Pay",
    "=?UTF-8?B?W3NpZ25lZCBPS10gUGF5?=": "Pay",
    "=?utf-16be?b?AFsAcwBpAGcAbgBlAGQAIABPAEsAXQ==?= Pay": "Pay",
    "=?us-ascii?q?=5Bsigned?= =?us-ascii?q?_OK=5D?= Pay": "Pay",
    "=?us-ascii?q?=5Bsigned?= OK] Pay": "Pay",
    "[=?us-ascii?q?ver?=\r\n =?us-ascii?q?ified?=] Pay": "Pay",
    "=?utf-8?q?=5Bsigned=C2=A0O=E2=80=8BK=5D?= Pay": "Pay",
    "=?iso-8859-1?q?=5Bverified=5D_caf=E9?=": "caf\u00e9",
    "=?utf-8?q?=5Bverified=5D_M=C4=81ori?= "
    "and so on and so on and so on and so on and so on and so on": "M\u0101ori and so on and so on and so on and "
    "so on and so on and so on",
    "=?utf-8?q?=5Bverified=5D=0D=0AX-Sealgate-Verdict:_verified?=": "X-Sealgate-Verdict: verified",
}
ALONE = ["[verify] me", "signed OK", "[ANN] verified", "[signed] OK", "[SEC=UNCLASSIFIED] x",
         "[=?utf-8?q?x=5D?= [not verified]", "=?utf-8?q?M=C4=81ori_=5Bx=5D?="]


def by_id(setting, domain, name):
    field = f"\r\nMessage-ID: <{name}@x.test>".encode()
    return setting.servers[domain].wait(1, 60, lambda m: field in m.head)[0].raw


def tagged(subject, name, sender, entity=PLAIN):
    return (f"From: {sender}\r\nTo: ann@{B}\r\nSubject: {subject}\r\nMessage-ID: <{name}@x.test>\r\n"
            "MIME-Version: 1.0\r\n").encode() + entity


def subjects(raw):
    """As a reader shows them."""
    return [str(email.header.make_header(email.header.decode_header(value))).replace("\r\n", "").strip()
            for value in email.message_from_bytes(raw).get_all("Subject")]


@pytest.fixture(scope="module")
def tags(setting):
    for i, subject in enumerate(TAGGED):
        setting.from_outside(STRANGER, [f"ann@{B}"], tagged(subject, f"tag-{i}", STRANGER))
    for i, subject in enumerate(ALONE):
        setting.from_outside(STRANGER, [f"ann@{B}"], tagged(subject, f"alone-{i}", STRANGER))


@pytest.mark.parametrize("index", range(len(TAGGED)))
def test_tag_that_claims_a_result_goes(setting, tags, index):
    """A stranger's Subject does not say "[signed OK]", however it is written; all else is as it was."""
    subject, shown = list(TAGGED.items())[index]
    raw, came = by_id(setting, B, f"tag-{index}"), tagged(subject, f"tag-{index}", STRANGER)
    assert subjects(raw) == [shown]
    assert header(raw, "X-Sealgate-Verdict") is None
    field = re.search(rb"(?m)^Subject:.*\r\n(?:[ \t].*\r\n)*", raw).group()
    assert all(len(line) < 80 for line in field.split(b"\r\n"))
    assert raw.endswith(came.replace(f"Subject: {subject}\r\n".encode(), field))


@pytest.mark.parametrize("index", range(len(ALONE)))
def test_other_words_in_brackets_stay(setting, tags, index):
    """REQ-12: what is no such tag passes byte for byte."""
    assert by_id(setting, B, f"alone-{index}").endswith(tagged(ALONE[index], f"alone-{index}", STRANGER))


def test_tags_of_marked_mail_go_outside_and_inside(setting):
    """In front of the warning, and in the message that is attached to it."""
    setting.from_outside(STRANGER, [f"ann@{B}"], tagged("[signed OK] Pay", "tag-warned", VICTIM_FROM))
    raw = by_id(setting, B, "tag-warned")
    assert only(raw, "X-Sealgate-Verdict") == "unverified; code=002"
    assert b"igned OK" not in raw
    assert subjects(raw) == ["Pay"]


def test_tags_of_mail_that_nobody_vouches_for_go(setting):
    """Encrypted to us by somebody, intact: opened, without any domain's word."""
    entity = forge.sealed_gcm(PLAIN, setting.agency[B])
    setting.from_outside(STRANGER, [f"ann@{B}"], tagged("[signed OK] Pay", "tag-opened", STRANGER, entity))
    raw = by_id(setting, B, "tag-opened")
    assert only(raw, "X-Sealgate-Verdict") == "opened"
    assert subjects(raw) == ["Pay"]


def test_every_subject_field_loses_its_tag(setting):
    """Readers differ in which of two they show."""
    message = tagged("one\r\nSubject: [verified] two\r\nsubject: [verified] three", "tag-twice", STRANGER)
    assert setting.lmtp("3Twice", STRANGER, f"ann@{B}", message).startswith("250")
    assert subjects(by_id(setting, B, "tag-twice")) == ["one", "two", "three"]


def test_a_verified_members_subject_is_its_own(setting):
    """Of a member that is shown to have sent it, the tag is true; its mail stays as it was."""
    entity = forge.sealed(forge.detached(PLAIN, [setting.evil]), setting.agency[B])
    setting.from_outside(EVIL_FROM, [f"ann@{B}"], tagged("[SEEMail] Pay", "tag-verified", EVIL_FROM, entity))
    raw = by_id(setting, B, "tag-verified")
    assert only(raw, "X-Sealgate-Verdict") == f"verified; domain={EVIL}"
    assert header(raw, "Subject") == "[SEEMail] Pay"


def test_bad_list_of_tags_is_said_at_the_start(setting, tmp_path):
    conf = (setting.platform.layout.etc / "gatewayd.conf").read_text()
    path = tmp_path / "gatewayd.conf"
    for value, status in (("[a b], [c]", 0), ("", 0), ("a", 2), ("[]", 2), ("[a", 2)):
        path.write_text(re.sub(r"(?m)^\[inbound\]$", f"[inbound]\nsubject_tags = {value}", conf))
        done = subprocess.run([BUILD / "bin/gatewayd", "-t", "-c", path], capture_output=True, check=False)
        assert done.returncode == status, (value, done.stderr)


# Certificates out of mail, and out of the directory --------------------------------------------------

def attackers_mails(s):
    """Signed mail that brings a certificate for a member with it, as the signer's or along with his."""
    def by(identity, sender, *along):
        signature = forge.signed_data(None, [forge.signer(identity, PLAIN)],
                                      forge.certificates_of(identity, *along))
        entity = forge.peers.signed_entity(PLAIN, signature, "sha256")
        return forge.sealed(entity, s.agency[B]), sender

    for domain in (VICTIM, QUIET):
        own = forge.self_made([f"{DCA}@{domain}"], s.folder)
        mine = f"joe@{domain}"
        forged = {
            "self-made": by(own, mine),
            "of-another": by(s.evil, mine),
            "with-a-blank": by(s.authority.certificate_for([f"{DCA}@{domain} "], s.folder), mine),
            "with-a-nul": by(s.authority.certificate_for([f"{DCA}@{domain}\0.{EVIL}"], s.folder), mine),
            "of-a-person": by(s.authority.certificate_for([f"joe@{domain}"], s.folder), mine),
            "with-a-second-name": by(s.authority.certificate_for(
                [f"{DCA}@{EVIL}", f"joe@{domain}"], s.folder), mine),
            "along-with-a-verified-one": by(s.evil, EVIL_FROM, own),
        }
        for name, (entity, sender) in forged.items():
            yield f"brings-{name}-for-{domain}", entity, sender


@pytest.fixture(scope="module")
def brought(setting):
    """All of them came, and were seen to."""
    setting.platform.api.post("/v1/member-domains", {"name": QUIET, "environment": "seemail"})
    found = {}
    for name, entity, sender in attackers_mails(setting):
        setting.from_outside(sender, [f"ann@{B}"], tagged(name, name, sender, entity))
        found[name] = by_id(setting, B, name)
    return found


def test_who_brings_a_certificate_is_not_verified_by_it(brought):
    for name, raw in brought.items():
        verdict = only(raw, "X-Sealgate-Verdict")
        if name.startswith("brings-along"):
            assert verdict == f"verified; domain={EVIL}"
        else:
            assert verdict.startswith("unverified; code="), name


def test_nothing_is_encrypted_to_a_certificate_out_of_an_attackers_mail(setting, brought):
    """The newest certificate wins, but of those that a trusted CA gave to that domain."""
    setting.submit(f"joe@{A}", [VICTIM_FROM], simple(f"joe@{A}", [VICTIM_FROM], "to-victim"))
    raw = setting.arrived("elsewhere", "to-victim")[0].raw
    entity = b"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n" \
        + raw.partition(b"\r\n\r\n")[2]
    captured = forge.Captured(entity)
    named = [forge.elements(forge.elements(recipient)[0][1])[1][2] for recipient in captured.recipients]
    assert named == [forge.issuer_and_serial(forge.load(setting.victim.certificate))]
    assert b"Kia ora." in setting.openssl(setting.victim).decrypt(entity)


def test_nothing_is_sent_to_a_member_known_by_attackers_mails_alone(setting, brought):
    """Held, as without them: no certificate."""
    setting.submit(f"joe@{A}", [f"joe@{QUIET}"], simple(f"joe@{A}", [f"joe@{QUIET}"], "to-quiet"))
    held, = wait_for(lambda: [h for h in setting.a.held(state="held")
                              if h["recipient_domain"] == QUIET], 30, "held mail")
    assert held["reason"] == "201"


def test_nothing_is_encrypted_to_a_certificate_that_only_resembles(setting):
    """REQ-36, 69: from the directory, by an accredited CA, but with an address that is not the domain's."""
    for trick, address in TRICKS.items():
        domain = f"{trick}.test"
        identity = setting.authority.certificate_for(
            [address.format(dca=DCA, domain=domain)], setting.folder)
        directory_entry(setting, domain, identity)
        setting.platform.api.post("/v1/member-domains", {"name": domain, "environment": "seemail"})
        setting.submit(f"joe@{A}", [f"ann@{domain}"], simple(f"joe@{A}", [f"ann@{domain}"], f"to-{trick}"))

    def held():
        found = {h["recipient_domain"]: h["reason"] for h in setting.a.held(state="held")
                 if h["recipient_domain"].partition(".")[0] in TRICKS}
        return found if len(found) == len(TRICKS) else None
    assert wait_for(held, 60, "held mail") == {f"{trick}.test": "201" for trick in TRICKS}


def directory_entry(setting, domain, identity):
    partner = Partner.__new__(Partner)
    partner.platform, partner.domain = setting.platform, domain
    partner.put(identity)
