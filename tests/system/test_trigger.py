"""Trigger words in every disguise, from a customer's server to somebody outside: the corpus of
tests/vectors/mime through the real servers. What holds a word is not sent; what only looks as if is.

REQ-29 REQ-30 REQ-31 REQ-32 REQ-33 REQ-34 REQ-109 REQ-110 REQ-114
"""
import pathlib
import re
import smtplib
import sys
import tempfile

import pytest

from policylab import Lab
from sealgate.ports import PortBlock
from setting import A, FROM_A, OUTSIDE, Setting

CORPUS = pathlib.Path(__file__).parents[1] / "vectors/mime"
QUARANTINED = {"SECRET", "TOP SECRET", "CONFIDENTIAL"}
RULES = {"IN-CONFIDENCE": "trigger-secure-only", "SENSITIVE": "trigger-seemail-only",
         "RESTRICTED": "trigger-seemail-only"}


def travels(name):
    """Not what SMTP does not carry as it is, and what Postfix takes for a message without a header."""
    mail = (CORPUS / name).read_bytes()
    return not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", mail) and name not in ("no-header.eml", "header-bad-line.eml")


def table():
    for line in (CORPUS / "table.tsv").read_text(encoding="ascii").splitlines():
        name, words, what, attached = line.split("\t")
        if not name.startswith("#") and travels(name):
            yield name, words, what, attached


ALL = {name: row for name, *row in table()}
# A few of each family; with --long all of them.
SELECTED = """subject-secret body-top-secret body-in-confidence subject-restricted body-confidential two-words
    lower-case no-brackets other-fields wrapped flowed subject-folded subject-b subject-utf-7 subject-split-character subject-latin-1
    quoted-printable-soft base64 base64-junk uuencode charset-utf-7 charset-utf-16 charset-ibm037 charset-iso-2022-jp charset-unknown
    invisible look-alikes html-tags html-names html-conditional html-hidden-inside html-not-style html-meta-utf-7 type-twice
    type-quoted encoding-four-times alternative-html message-attached message-base64 too-deep report-headers attached-text inline-text rtf-runs tnef-rtf tnef-damaged tnef-none
    smime-opaque smime-detached smime-enveloped pgp-mime preamble no-boundary boundary-more-behind parts-behind-end part-bad-line""".split()
ROWS = ALL if "--long" in sys.argv else {f"{name}.eml": ALL[f"{name}.eml"] for name in SELECTED}
ATTACHED = [name for name, (words, _, attached) in ALL.items() if attached != words]


def rule(words, what):
    """What the rules make of it on the way to somebody outside."""
    words = set(words.split(",")) - {"-", "RSVPDR"}
    if words & QUARANTINED:
        return "trigger-quarantine"
    if words & {"SENSITIVE", "RESTRICTED"}:
        return "trigger-seemail-only"
    if words:
        return "trigger-secure-only"
    return "undecodable" if what == "undecodable" else "outsider"


class Sender(Setting):
    message, trace, decided, policy = Lab.message, Lab.trace, Lab.decided, Lab.policy

    def send(self, names, mark):
        with smtplib.SMTP("127.0.0.1", self.platform.port["postfix_out"], "customer.test", timeout=60,
                          source_address=(FROM_A, 0)) as smtp:
            for name in names:
                mail = re.sub(rb"^Message-ID: .*\r\n", b"", (CORPUS / name).read_bytes(), flags=re.M)
                mail = f"Message-ID: <{mark}-{name}@x.test>\r\n".encode() + mail
                smtp.sendmail(f"joe@{A}", [f"x@{OUTSIDE}"], mail, ["BODY=8BITMIME"])

    def reached_outside(self, subject):
        return any(f"<{subject}@x.test>".encode() in mail.raw for mail in self.servers[OUTSIDE].mails)


@pytest.fixture(scope="module")
def sender():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgw", dir="/var/tmp") as folder:
        s = Sender(folder, block)
        try:
            s.start()
            s.send(ROWS, "plain")
            yield s
        finally:
            s.stop()


@pytest.mark.parametrize("name", ROWS)
def test_every_disguise(sender, name):
    """REQ-29 to 33: the same word is found however it is written, and only as it must be written."""
    words, what, _ = ROWS[name]
    expected = rule(words, what)
    assert sender.decided(f"plain-{name}")["rule"] == expected
    outcome, = sender.message(f"plain-{name}")["recipients"]
    if expected == "outsider":
        sender.servers[OUTSIDE].wait(1, 30, lambda m: f"<plain-{name}@x.test>".encode() in m.raw)
    else:
        assert not sender.reached_outside(f"plain-{name}")
    assert outcome["codes"] == (["001"] if expected in RULES.values() else [])
    found = {s["detail"]["word"] for s in sender.trace(f"plain-{name}") if s["step"] == "trigger"}
    assert found == set(words.split(",")) - {"-"}


def test_attachments_where_the_domain_wants_it(sender):
    """REQ-34: an option of the domain, set over REST."""
    with sender.policy(sender.a, {"attachment_scanning": True}):
        sender.send([*ATTACHED, "attached-pdf.eml"], "attached")
        for name in ATTACHED:
            _, what, attached = ALL[name]
            assert sender.decided(f"attached-{name}")["rule"] == rule(attached, what), name
            assert not sender.reached_outside(f"attached-{name}")
        assert sender.decided("attached-attached-pdf.eml")["rule"] == "outsider"
    sender.send(ATTACHED[:1], "again")
    assert sender.decided(f"again-{ATTACHED[0]}")["rule"] == "outsider"


def test_what_cannot_be_read_by_policy(sender):
    """REQ-33: text in which a word might be is held for an administrator, or sent if the domain says so."""
    name = "tnef-none.eml"
    with sender.policy(sender.a, {"undecodable_action": "send"}):
        sender.send([name], "unread")
        assert sender.decided(f"unread-{name}")["rule"] == "outsider"
        sender.servers[OUTSIDE].wait(1, 30, lambda m: f"<unread-{name}@x.test>".encode() in m.raw)
    steps = [s["detail"] for s in sender.trace(f"unread-{name}") if s["step"] == "undecodable"]
    assert steps and steps[0]["where"] == "application/ms-tnef part 1"
