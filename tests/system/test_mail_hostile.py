"""Mail that wants to get past the rules, and mail that merely looks odd.

REQ-22 REQ-56 REQ-62 REQ-66 REQ-74 REQ-75 REQ-76 REQ-87 REQ-117 REQ-136
"""
import base64
import contextlib
import itertools
import re
import smtplib
import socket
import tempfile

import pytest

import corpus
import peers
from noticeenv import expire, rows
from partners import Partner, from_directory
from sealgate.mailserver import MailServer
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, FROM_A, OUTSIDE, Setting, header, simple
from statements import Statements

EVIL, NOCERT = "partner.test", "nocert.test"


class Hostile(Setting):
    """With a member elsewhere whose keys we have, and a member without a certificate."""

    def __init__(self, folder, block):
        super().__init__(folder, block, {EVIL: block.base + 18})
        self.servers[EVIL] = MailServer(block.base + 18, f"{folder}/mail/evil")

    def start(self):
        super().start()
        self.partner = Partner(self.platform, EVIL)
        self.platform.refca.publish()
        self.software = peers.OpenSsl(self.platform.layout.dir, self.partner.identity.certificate)
        self.software.own(self.partner.identity)
        self.agency_b = from_directory(self.platform, B, self.platform.layout.dir / "found")
        self.platform.api.post("/v1/member-domains", {"name": NOCERT, "environment": "seemail"})
        return self


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgh", dir="/var/tmp") as folder:
        s = Hostile(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


class Lines:
    """A conversation whose commands are sent exactly as they stand."""

    def __init__(self, *address, source=None):
        self.socket = socket.create_connection(address, 60, (source, 0) if source else None)
        self.file = self.socket.makefile("rwb")
        self.reply()

    def reply(self):
        while True:
            line = self.file.readline().decode()
            assert line, "connection closed"
            if line[3:4] != "-":
                return line.rstrip()

    def say(self, text):
        self.file.write(text.encode() + b"\r\n")
        self.file.flush()
        return self.reply()

    def transaction(self, sender, recipients, message, options=""):
        assert self.say(f"MAIL FROM:<{sender}>{options}").startswith("250")
        for recipient in recipients:
            assert self.say(f"RCPT TO:<{recipient}>").startswith("250")
        assert self.say("DATA").startswith("354")
        stuffed = message.replace(b"\r\n.", b"\r\n..")
        self.file.write(stuffed + b".\r\n")
        self.file.flush()

    def close(self):
        self.file.close()
        self.socket.close()


def submit_as(setting, sender, recipients, message):
    with contextlib.closing(Lines("127.0.0.1", setting.platform.port["postfix_out"],
                                  source=FROM_A)) as smtp:
        assert smtp.say("EHLO customer.test").startswith("250")
        smtp.transaction(sender, recipients, message)
        return smtp.reply()


def vouched(setting, sender, queue_id):
    """The header with which the edge vouches for a mail of agency A."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as s:
        s.connect(str(setting.platform.layout.run / "policy.sock"))
        s.sendall(f"request=smtpd_access_policy\nprotocol_state=DATA\nqueue_id={queue_id}\n"
                  f"client_address={FROM_A}\nsender={sender}\n\n".encode())
        answer = s.makefile("r").readline()
    assert answer.startswith("action=PREPEND ")
    return answer.removeprefix("action=PREPEND ").strip().encode() + b"\r\n"


def to_gatewayd(setting, queue_id, sender, recipients, message):
    """One LMTP transaction as Postfix "out" would make it; the reply to each recipient."""
    with contextlib.closing(Lines("127.0.0.1", setting.platform.port["outbound"])) as lmtp:
        assert lmtp.say("LHLO out.test").startswith("250")
        assert lmtp.say(f"XFORWARD IDENT={queue_id} ADDR={FROM_A}").startswith("250")
        lmtp.transaction(sender, recipients, message)
        return [lmtp.reply() for _ in recipients]


# The envelope ---------------------------------------------------------------------------------


@pytest.mark.parametrize("sender", [f"Joe.Smith+Tok3N@{A}", f'"Joe Smith"@{A}', f'"j.o.e"@{A}',
                                    f"joe@{A.upper()}", f'"a\\"b"@{A}'])
def test_senders_address_is_kept_as_it_is(setting, sender):
    """Tokens of list servers (VERP, BATV) tell case; a quoted local part is one all the same."""
    subject = f"sender-{sender.encode().hex()}"
    reply = submit_as(setting, sender, [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], subject))
    assert reply.startswith("250"), reply
    got = setting.arrived(B, subject)[0]
    assert got.sender.partition("@")[0].strip('"').replace('\\', '') \
        == sender.rpartition("@")[0].strip('"').replace('\\', '')
    assert got.sender.rpartition("@")[2].lower() == A
    assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={A}"


def test_strangers_sender_address_is_kept_as_it_is(setting):
    setting.from_outside(f"Bounce-XyZ=aB@{OUTSIDE}", [f"Ann@{B.upper()}"],
                         simple(f"x@{OUTSIDE}", [f"ann@{B}"], "verp"))
    assert setting.arrived(B, "verp")[0].sender == f"Bounce-XyZ=aB@{OUTSIDE}"


def test_smtputf8_that_nothing_needs(setting):
    """Some programs ask for it with every mail. A server that does not offer it gets what is ASCII all the same."""
    server = setting.servers[B]
    server.stop()
    server.announce.remove("SMTPUTF8")
    try:
        server.start()
        for subject in ("utf8-not-needed", "utf8-n\N{LATIN SMALL LETTER E WITH MACRON}eded"):
            with smtplib.SMTP("127.0.0.1", setting.platform.port["postfix_in"], "world.test") as smtp:
                smtp.sendmail(f"x@{OUTSIDE}", [f"ann@{B}"], simple(f"x@{OUTSIDE}", [f"ann@{B}"], subject), ["SMTPUTF8", "BODY=8BITMIME"])
        assert "SMTPUTF8" not in setting.arrived(B, "utf8-not-needed")[0].sender_options
        outcome = "SELECT message_recipient.outcome, message_recipient.reply FROM message_recipient JOIN message ON message.id = msg_id WHERE message_id LIKE 'utf8-n%' ORDER BY 1"
        (first, _), (second, reply) = wait_for(lambda: (rows := setting.platform.postgresql.rows(outcome))[1:] and rows, 30, "both outcomes")
        assert (first, second) == ("delivered", "refused") and "SMTPUTF8" in reply
    finally:
        server.stop()
        server.announce.insert(2, "SMTPUTF8")
        server.start()


def test_long_helo_is_no_reason_to_lose_the_queue_id(setting):
    """Tried again, it is the same message. The client chooses how long its name is, and what is in it."""
    postfix = setting.platform.postfix_in
    for n, helo in enumerate(("a" * 300, "+" * 2000)):
        setting.servers[B].answer("data", "451 4.3.0 later", times=1)
        with smtplib.SMTP("127.0.0.1", setting.platform.port["postfix_in"], helo) as smtp:
            smtp.sendmail(f"x@{OUTSIDE}", [f"ann@{B}"], simple(f"x@{OUTSIDE}", [f"ann@{B}"], f"long-helo-{n}"))
        wait_for(lambda: [one for one in postfix.queue() if one["queue_name"] == "deferred"], 30, "mail put off")
        postfix.flush()
        assert len(setting.arrived(B, f"long-helo-{n}")) == 1
    rows = "SELECT queue_id <> '', outcome FROM message JOIN message_recipient ON id = msg_id WHERE message_id LIKE 'long-helo-%'"
    wait_for(lambda: setting.platform.postgresql.rows(rows) == [["t", "delivered"]] * 2, 30, "one outcome of each")


@pytest.mark.parametrize("recipient", [f"ann%{B}@[127.0.0.1]", f'"ann@{B}"@[127.0.0.1]',
                                       f"{B}!ann@[127.0.0.1]", f"@[127.0.0.1]:ann@{B}",
                                       f"ANN@{B.upper()}"])
def test_no_way_of_writing_an_address_leads_past_the_seal(setting, recipient):
    """REQ-62: who asks for a member in a roundabout way gets the seal or nothing."""
    subject = f"roundabout-{recipient.encode().hex()}"
    mark = f"Roundabout-{subject}"
    try:
        submit_as(setting, f"joe@{A}", [recipient],
                  simple(f"joe@{A}", [f"ann@{B}"], subject, f"{mark}\r\n"))
    except AssertionError:
        return  # refused at RCPT
    setting.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], f"after-{subject}"))
    setting.arrived(B, f"after-{subject}")
    wait_for(lambda: setting.platform.postfix_out.queue() == [], 60, "an empty queue")
    for _, raw in setting.tap.messages:
        assert mark.encode() not in raw


def test_bcc_field_does_not_travel_in_sealed_mail(setting):
    message = (f"Bcc: secret@{OUTSIDE}\r\nResent-Bcc: secret@{OUTSIDE}\r\n".encode()
               + simple(f"joe@{A}", [f"ann@{B}"], "bcc-field"))
    setting.submit(f"joe@{A}", [f"ann@{B}"], message)
    assert b"secret@" not in setting.arrived(B, "bcc-field")[0].raw
    assert all(b"secret@" not in raw for _, raw in setting.on_wire("bcc-field"))


# What waits -----------------------------------------------------------------------------------


def test_two_transactions_of_one_message_are_held_for_all(setting):
    """REQ-56: Postfix cuts a long list of recipients; nobody on it may be forgotten."""
    message = vouched(setting, f"joe@{A}", "3Hostile1") + simple(f"joe@{A}", [f"x@{NOCERT}"], "two")
    for names in (["ann", "bob"], ["bob", "cat"]):
        replies = to_gatewayd(setting, "3Hostile1", f"joe@{A}",
                              [f"{name}@{NOCERT}" for name in names], message)
        assert all(reply.startswith("250") for reply in replies)
    held, = [h for h in setting.a.held(state="held") if h["queue_id"] == "3Hostile1"]
    assert held["recipients"] == [f"{name}@{NOCERT}" for name in ("ann", "bob", "cat")]
    setting.platform.api.delete(f"{setting.a.path}/held/{held['id']}")


def test_a_transaction_that_comes_again_is_not_sent_again(setting):
    message = vouched(setting, f"joe@{A}", "3Hostile2") + simple(f"joe@{A}", [f"ann@{B}"], "again")
    for recipients in ([f"ann@{B}"], [f"ann@{B}", f"ANN@{B}", f"bob@{B}"]):
        replies = to_gatewayd(setting, "3Hostile2", f"joe@{A}", recipients, message)
        assert all(reply.startswith("250") for reply in replies)
    setting.arrived(B, "again", 2)
    setting.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], "then"))
    setting.arrived(B, "then")
    assert sorted(m.recipients for m in setting.arrived(B, "again")) == [[f"ann@{B}"], [f"bob@{B}"]]


def test_proof_of_one_queue_id_does_not_serve_another(setting):
    message = vouched(setting, f"joe@{A}", "3Hostile3") + simple(f"joe@{A}", [f"ann@{B}"], "moved")
    for queue_id, sender in (("3Hostile4", f"joe@{A}"), ("3Hostile3", f"eve@{A}")):
        reply, = to_gatewayd(setting, queue_id, sender, [f"ann@{B}"], message)
        assert reply.startswith("550 5.7.1"), reply


# Headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["fields", "octets"])
def test_header_beyond_the_limits_waits(setting, kind):
    """5xx is for what never was a message for us: a stranger's mail waits for the operator."""
    subject, sender = f"large-header-{kind}", f"{kind}@{OUTSIDE}"
    more = b"X-F: y\r\n" * 2100 if kind == "fields" else \
        b"".join(b"X-F: " + b"y" * 900 + b"\r\n" for _ in range(400))
    setting.from_outside(sender, [f"ann@{B}"], more + simple(sender, [f"ann@{B}"], subject))
    postfix = setting.platform.postfix_in

    def waiting():
        return [q for q in postfix.queue()
                if all(r.get("delay_reason") for r in q["recipients"])] or None
    queued = wait_for(waiting, 60, "the mail in the queue")
    assert " 451 " in queued[0]["recipients"][0]["delay_reason"]
    expire(setting)
    # Whoever wrote it chose that it is never judged, and whom it names as its sender (REQ-75).
    wait_for(lambda: re.search(f"to=<{sender}>,.* status=sent", postfix.log.read_text()), 60, "Postfix's report")
    assert rows(setting, f"SELECT id FROM sealgate.notice WHERE recipient = '{sender}'") == []
    assert not [m for m in setting.servers[OUTSIDE].mails if subject.encode() in m.raw]


def straight(setting, subject, message):
    """To gatewayd: Postfix would mend some of them. Its reply."""
    with contextlib.closing(Lines("127.0.0.1", setting.platform.port["inbound"])) as lmtp:
        assert lmtp.say("LHLO in.test").startswith("250")
        assert lmtp.say(f"XFORWARD IDENT=3Trick{subject} ADDR=192.0.2.1").startswith("250")
        lmtp.transaction(f"x@{OUTSIDE}", [f"ann@{B}"], message)
        return lmtp.reply()


@pytest.mark.parametrize("field", [
    "From: " + ", ".join(f"u{i}@d{i}.test" for i in range(9000)),
    f"From: x@{OUTSIDE}\rFrom: ann@{B}",
    f"From: x@{OUTSIDE}\r\nFROM : ann@{B}",
    f"From: ann@{B} <x@{OUTSIDE}>",
    f"From: x@{OUTSIDE}\r\nfrom: x@{OUTSIDE}",
    "From: undisclosed:;",
    "From: =?utf-8?q?ann=40agency-b.test?=",
    f"From: (x@{OUTSIDE}) ann@{B}",
    f"From: \"x@{OUTSIDE}\" <ann@{B}> (x)",
    f"From: group: x@{OUTSIDE}, ann@{B};",
], ids=["many", "bare-cr", "blank-before-colon", "address-as-name", "twice", "empty-group", "encoded",
        "comment", "display-name", "group"])
def test_from_that_plays_tricks_is_marked(setting, field, request):
    """REQ-47, 76: whatever a client may show of it, it is not delivered as if it were nothing."""
    subject = f"trick-{request.node.callspec.id}"
    message = (f"{field}\r\nTo: ann@{B}\r\nSubject: {subject}\r\n\r\nKia ora.\r\n").encode()
    reply = straight(setting, subject, message)
    if "\rF" in field:  # SMTP smuggling: no bare CR goes in
        assert reply[0] in "45", reply
        return
    assert reply.startswith("250"), reply
    verdict = header(setting.arrived(B, subject)[0].raw, "X-Sealgate-Verdict")
    assert verdict.startswith("unverified; code=00")


@pytest.mark.parametrize("field, claims", [
    (f"Smith, John <john@{OUTSIDE}>", False),
    ("Mail Delivery System <MAILER-DAEMON>", False),
    (f"joe@{OUTSIDE} <joe@{OUTSIDE}>", False),
    (f"joe.@{OUTSIDE}", False),
    (f"John [Work] <joe@{OUTSIDE}>", False),
    (f"Smith, John <ann@{B}>", True),
    (f"John [Work] <ann@{EVIL}>", True),
    (f"ann.@{B}", True),
    (f"Smith, John <ann@{B.replace('-', '(x)-')}>", True),
    (f"John [Work] <ann @ {B.replace('.', ' . ')}>", True),
    (f"Smith, John <=?utf-8?q?ann=40{B}?=>", True),
    (f"ann@{B}, Smith, John <joe@{OUTSIDE}>", True),
    ("John [Work] <ann>", True)],
    ids=["comma", "daemon", "address-as-name", "dot", "brackets", "comma-own", "brackets-member", "dot-own", "comment-own",
         "blanks-own", "encoded-own", "beside-own", "no-domain"])
def test_a_from_that_is_not_quite_one_is_a_strangers_or_marked(setting, field, claims, request):
    """REQ-12, 47, 76: what many programs write is left alone, by a domain's policy that deletes too, unless a client could
    show it as a member's or as one of the recipient's own."""
    subject = f"nearly-{request.node.callspec.id}"
    straight(setting, subject, f"From: {field}\r\nTo: ann@{B}\r\nSubject: {subject}\r\n\r\nKia ora.\r\n".encode())
    verdict = header(setting.arrived(B, subject)[0].raw, "X-Sealgate-Verdict")
    assert verdict == ("unverified; code=002" if claims else None)


@pytest.mark.parametrize("counts, asked", [
    ((100,), 100), ((101,), 0), ((50, 50), 100), ((60, 41), 60), ((1, 1, 99), 2), ((1000,) * 4, 0)],
    ids=lambda v: "-".join(map(str, v)) if isinstance(v, tuple) else None)
def test_from_of_many_domains_costs_few_questions(setting, counts, asked, request):
    """REQ-47, 65: a hundred domains are looked up, in however many fields they stand; more of them are nobody's, and
    warned of as a member's would be."""
    subject = f"domains-{request.node.callspec.id}"
    numbers = itertools.count()
    fields = "".join(f"From: {', '.join(f'u@d{next(numbers)}.{subject}.test' for _ in range(n))}\r\n" for n in counts)
    message = f"{fields}To: ann@{B}\r\nSubject: {subject}\r\n\r\nKia ora.\r\n".encode()
    with Statements(setting.platform.postgresql) as statements:
        statements.begin()
        straight(setting, subject, message)
        verdict = header(setting.arrived(B, subject)[0].raw, "X-Sealgate-Verdict")
        questions = statements.about("gatewayd", "member_domain_find", f".{subject}.test'")
    assert questions == asked
    assert verdict == (None if counts == (100,) else "unverified; code=002")


# Reports --------------------------------------------------------------------------------------


def test_report_is_not_believed_beyond_its_status_part(setting):
    """Fields of the stranger's own header, returned in Postfix's report, are nobody's status."""
    forged = (f"X-Postfix-Queue-ID: 4Forged\r\nFinal-Recipient: rfc822; victim@{B}\r\n"
              "Action: failed\r\nStatus: 5.1.1\r\n").encode()
    with smtplib.SMTP("127.0.0.1", setting.platform.port["postfix_in"], "world.test",
                      timeout=60) as smtp:
        smtp.sendmail(f"eve@{OUTSIDE}", [f"ann@{B}"],
                      forged + simple(f"eve@{OUTSIDE}", [f"ann@{B}"], "with-status"),
                      ["RET=HDRS"], ["NOTIFY=SUCCESS,FAILURE"])
    setting.arrived(B, "with-status")
    log = setting.platform.postfix_in.log
    wait_for(lambda: f"to=<eve@{OUTSIDE}>, relay=" in log.read_text(), 30, "Postfix's report")
    setting.submit(f"joe@{A}", [f"eve@{OUTSIDE}"],
                   simple(f"joe@{A}", [f"eve@{OUTSIDE}"], "after-report"))
    setting.arrived(OUTSIDE, "after-report")
    wait_for(lambda: setting.platform.postfix_in.queue() == [], 30, "an empty queue")
    assert not [m for m in setting.servers[OUTSIDE].mails if b"NON DELIVERY REPORT" in m.raw]


def bounce_lines(setting):
    lines = Lines.__new__(Lines)
    lines.socket = socket.socket(socket.AF_UNIX)
    lines.socket.settimeout(30)
    lines.socket.connect(str(setting.platform.layout.run / "bounce.sock"))
    lines.file = lines.socket.makefile("rwb")
    lines.reply()
    assert lines.say("LHLO in.test").startswith("250")
    return lines


def report_about(recipient, queue_id, received=b"", status="4.4.1"):
    return (received + b"From: MAILER-DAEMON@in.test\r\nContent-Type: multipart/report;\r\n"
            b"\treport-type=delivery-status; boundary=\"b/1\"\r\n\r\n--b/1\r\n\r\ntext\r\n"
            b"--b/1\r\nContent-Type: message/delivery-status\r\n\r\nX-Postfix-Queue-ID: "
            + queue_id.encode() + b"\r\n\r\nFinal-Recipient: rfc822; " + recipient.encode()
            + b"\r\nAction: failed\r\nStatus: " + status.encode() + b"\r\n\r\n--b/1--\r\n")


def test_report_goes_to_nobody_but_the_messages_sender(setting):
    """Who names another's queue id learns nothing of that message."""
    setting.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], "private"))
    setting.arrived(B, "private")
    row, = wait_for(lambda: setting.b.messages(message_id="private@x.test"), 20, "retention")
    with contextlib.closing(bounce_lines(setting)) as lmtp:
        lmtp.transaction("", [f"eve@{OUTSIDE}"], report_about(f"ann@{B}", row["queue_id"]))
        assert lmtp.reply().startswith("250")
    setting.submit(f"joe@{A}", [f"eve@{OUTSIDE}"],
                   simple(f"joe@{A}", [f"eve@{OUTSIDE}"], "after-private"))
    setting.arrived(OUTSIDE, "after-private")
    assert not [m for m in setting.servers[OUTSIDE].mails if b"NON DELIVERY REPORT" in m.raw]


@pytest.mark.parametrize("number, status", [
    (1, "4.4.1\r\nDiagnostic-Code: smtp; 451 4.4.1 the domain has no next hop"),
    (2, "5.1.3\r\nDiagnostic-Code: smtp; 501 5.1.3 no address"),
    (3, "4.4.2\r\nDiagnostic-Code: X-Postfix; lost connection while sending the end")])
def test_report_about_what_was_never_judged(setting, number, status):
    """REQ-75: only where Postfix had no connection to us is it nobody's choice that the mail was not judged."""
    sender = f"unjudged-{number}@{OUTSIDE}"
    with contextlib.closing(bounce_lines(setting)) as lmtp:
        lmtp.transaction("", [sender], report_about(f"ann@{B}", f"4Unjudged{number}", status=status))
        assert lmtp.reply().startswith("250")
    assert rows(setting, f"SELECT id FROM sealgate.notice WHERE recipient = '{sender}'") == []


def test_what_is_no_report_of_postfix_waits(setting):
    """Mail for a domain that is ours no more, or not just now, comes here too: it is not dropped."""
    with contextlib.closing(bounce_lines(setting)) as lmtp:
        lmtp.transaction("", [f"ann@{B}"], report_about(
            f"ann@{B}", "4Xyz", b"Received: by in.test id 1;\r\n\tnow\r\n"
            b"Received: from mx.outside.test (192.0.2.1) by in.test; now\r\n"))
        assert lmtp.reply().startswith("451")
        assert lmtp.say(f"MAIL FROM:<joe@{A}>").startswith("4")


# Layers ---------------------------------------------------------------------------------------


def outer(entity, sender, subject):
    return (f"From: {sender}\r\nTo: ann@{B}\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n".encode()
            + entity)


def test_signature_outside_of_the_envelope_covers_nothing_inside(setting):
    """A member signs somebody else's ciphertext: what is in it is not that member's word."""
    software = setting.software
    text = b"Content-Type: text/html\r\n\r\n<img src='https://x/Hidden-Marker\r\n"
    sealed = software.encrypt(text, setting.agency_b, "aes256-cbc").replace(b"\n", b"\r\n")
    setting.from_outside(f"eve@{EVIL}", [f"ann@{B}"],
                         outer(software.sign(sealed), f"eve@{EVIL}", "signed-outside"))
    got = setting.arrived(B, "signed-outside")[0]
    assert header(got.raw, "X-Sealgate-Verdict") == "unverified; code=002"
    assert b"Hidden-Marker" not in got.raw  # attached, never rendered
    # The right way round
    good = software.encrypt(software.sign(text), setting.agency_b, "aes256-cbc")
    setting.from_outside(f"eve@{EVIL}", [f"ann@{B}"], outer(good, f"eve@{EVIL}", "signed-inside"))
    got = setting.arrived(B, "signed-inside")[0]
    assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={EVIL}"


def test_another_members_message_in_a_signature_of_ones_own(setting):
    """REQ-48: the sealed mail of A, signed once more by a member that is not A, is not that member's."""
    setting.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], "stolen", "Of A\r\n"))
    setting.arrived(B, "stolen")
    (_, wire), = setting.on_wire("stolen")
    head, _, body = wire.partition(b"\r\n\r\n")
    assert b"pkcs7-mime" in head
    sealed = peers.cms_entity(base64.b64decode(body), "enveloped-data")
    setting.from_outside(f"eve@{EVIL}", [f"ann@{B}"],
                         outer(setting.software.sign(sealed), f"eve@{EVIL}", "wrapped"))
    got = setting.arrived(B, "wrapped")[0]
    assert header(got.raw, "X-Sealgate-Verdict") == "unverified; code=002"
    assert corpus.split(got.raw)[1]
