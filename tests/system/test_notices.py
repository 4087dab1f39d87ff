"""Notices over real servers: one a message and person, in RFC 3464's form, merged, sealed, never lost and
never twice, none in answer to a machine.

REQ-41 REQ-42 REQ-56 REQ-57 REQ-62 REQ-74 REQ-77 REQ-78 REQ-79 REQ-82 REQ-92 REQ-93 REQ-94 REQ-95 REQ-183
"""
import contextlib
import tempfile
import time

import pytest

import forge
import peers
from noticeenv import FIRST, SENDER, Notice, expire, is_notice, member, notices, policy, rows, settled
from partners import Partner, further_ca
from sealgate.mailserver import HANG, MailServer
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, FROM_B, OUTSIDE, Setting, header, simple
from test_faults_load import SlowServer

POSTMASTER = f"postmaster@{A}"
SLOW_S = 4
SETTINGS = {"gatewayd": {"hold.retry_first": "12h", "hold.retry_most": "12h", "notice.merge": "3s",
                         "client.data_timeout": "15s"}}


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgn", dir="/var/tmp") as folder:
        s = Setting(folder, block, settings=SETTINGS, routes={
            **{name: block.base + 12 for name in ("one.test", "two.test", "silent.test")},
            "mixed.test": block.base + 17})
        s.servers[A] = SlowServer(s.servers[A].port, s.servers[A].folder)
        s.servers["mixed.test"] = MailServer(block.base + 17, f"{folder}/mail/mixed")
        try:
            s.start()
            for name in ("one.test", "two.test"):
                member(s, name)
            yield s
        finally:
            s.stop()


@pytest.fixture(autouse=True)
def well_again(setting):
    yield
    for server in setting.servers.values():
        server.accept_all()
    policy(setting)
    policy(setting, setting.b.domain_path)


def send(setting, subject, *recipients, sender=SENDER, extra=b"", author=SENDER):
    setting.submit(sender, list(recipients),
                   extra + simple(author, recipients, subject, f"Secret-{subject}\r\n"))


def told(setting, subject, kind="delayed"):
    """Whom the outbox told of that message, in the end; once each, whatever state it is in."""
    return sorted(row["recipient"] for row in rows(
        setting, "SELECT n.recipient FROM sealgate.notice n JOIN sealgate.message m ON m.id = n.msg_id "
                 f"WHERE m.message_id = '{subject}@x.test' AND n.kind = '{kind}'"))


def test_one_notice_for_all_recipients(setting):
    """Two agencies and 120 recipients in several LMTP transactions: one notice a person told, with
    the real hours, the four fields and nothing of the body."""
    recipients = [f"u{i:03}@one.test" for i in range(118)] + ["ann@two.test", "Bob@two.test"]
    send(setting, "merged", *recipients)
    notice, = notices(setting.servers[A], "delayed", SENDER, "merged")
    assert notice.first_line == FIRST["delayed"].format(hours=12, codes="201")
    assert sorted(notice.recipients) == sorted(recipients)
    assert {block["Action"] for block in notice.blocks[1:]} == {"delayed"}
    assert {block["Status"] for block in notice.blocks[1:]} == {"4.7.5"}
    assert notice.shown().keys() == {"To", "From", "Date", "Subject"}
    assert notice.shown()["From"] == f"<{SENDER}>" and notice.shown()["Subject"] == "merged"
    assert notice.message["From"] == POSTMASTER and notice.mail.sender == ""
    assert notice.message["Auto-Submitted"] == "auto-replied"
    assert notice.message.get_content_type() == "multipart/report"
    assert notice.message.get_param("report-type") == "delivery-status"
    assert header(notice.mail.raw, "X-Sealgate-Verdict") == f"verified; domain={A}"  # sealed: REQ-62
    assert b"Secret-" not in notice.mail.raw and b"merged@x.test" not in notice.mail.raw
    notices(setting.servers[A], "delayed", POSTMASTER, "merged")
    settled(setting)
    assert told(setting, "merged") == [SENDER, POSTMASTER]


def test_codes_are_listed(setting):
    """201 for one agency and 202 for the other: one notice, [Code: 201, 202]."""
    platform = setting.platform
    silent = further_ca(platform, "silent-ca", setting.c_port + 1)  # nobody serves its list
    platform.api.post("/v1/trust-anchors", {"pem": silent.anchor_pem})
    Partner(platform, "silent.test", silent)
    silent.publish()
    send(setting, "codes", "ann@one.test", "ann@silent.test")
    notice, = notices(setting.servers[A], "delayed", SENDER, "codes")
    assert notice.first_line == FIRST["delayed"].format(hours=12, codes="201, 202")
    assert "\n201: " in notice.text and "\n202: " in notice.text
    assert {block["Diagnostic-Code"] for block in notice.blocks[1:]} == {
        "x-secure-email; 201", "x-secure-email; 202"}


def test_killed_before_the_notice_is_sent(setting):
    """kill -9 while the notice is open: told once, whatever Postfix tries again."""
    send(setting, "killed", "ann@one.test", "ann@two.test")
    wait_for(lambda: told(setting, "killed"), 30, "the notice in the outbox")
    setting.platform.gatewayd.kill()
    setting.platform.gatewayd.start()
    setting.platform.postfix_out.flush()
    for to in (SENDER, POSTMASTER):
        notice, = notices(setting.servers[A], "delayed", to, "killed")
        assert len(notice.recipients) == 2
    settled(setting)
    assert told(setting, "killed") == [SENDER, POSTMASTER]
    assert len(notices(setting.servers[A], "delayed", SENDER, "killed")) == 1


def test_a_notice_whose_tries_nobody_survived_is_given_up(setting):
    """A try counts before it is made: a notice that kills gatewayd does so [notice] attempts times, and no more."""
    send(setting, "deadly", "ann@one.test")
    wait_for(lambda: told(setting, "deadly") == [SENDER, POSTMASTER], 30, "the notices in the outbox")
    mine = "msg_id = (SELECT id FROM sealgate.message WHERE message_id = 'deadly@x.test')"
    setting.platform.postgresql.psql(f"UPDATE sealgate.notice SET attempts = 40 WHERE {mine} AND recipient = '{SENDER}'")
    settled(setting)
    given_up, = rows(setting, f"SELECT state, attempts, last_error FROM sealgate.notice WHERE {mine} "
                              f"AND recipient = '{SENDER}'")
    assert given_up == {"state": "failed", "attempts": 41, "last_error": "the last of its tries did not come to an end"}
    other, = rows(setting, f"SELECT state, attempts FROM sealgate.notice WHERE {mine} AND recipient = '{POSTMASTER}'")
    assert other == {"state": "sent", "attempts": 1}


def test_the_domain_chooses_form_addition_and_administrator(setting):
    """REQ-78, 94: through the REST API."""
    policy(setting, notice_form="brief", notice_addition="Help: https://a.test/x\nor call 111",
           administrator_address=f"admin@{A}")
    send(setting, "chosen", "ann@one.test")
    notice, = notices(setting.servers[A], "delayed", SENDER, "chosen")
    assert "\n201: " not in notice.text and notice.shown()["Subject"] == "chosen"
    assert notice.text.rstrip("\n").endswith("\n\nHelp: https://a.test/x\nor call 111")
    notices(setting.servers[A], "delayed", f"admin@{A}", "chosen")
    policy(setting, administrator_address=f"admin@{A}", administrator_notices=False)
    send(setting, "unwanted", "ann@one.test")
    notice, = notices(setting.servers[A], "delayed", SENDER, "unwanted")
    assert "\n201: " in notice.text and "Help:" not in notice.text
    settled(setting)
    assert told(setting, "unwanted") == [SENDER, POSTMASTER]


@pytest.mark.parametrize("case,sender,extra", [
    ("null-sender", "", b""), ("from-machine", SENDER, b"Auto-Submitted: auto-replied\r\n")])
def test_machines_are_not_told(setting, case, sender, extra):
    """REQ-93: of a mail that a machine sent its sender is told nothing; where there is a sender at all,
    the postmaster knows."""
    setting.submit(sender, ["ann@one.test"],
                   extra + simple(SENDER, ["ann@one.test"], case))
    wait_for(lambda: [h for h in setting.a.held(state="held") if h["sender"] == sender
                      and setting.a.messages(message_id=f"{case}@x.test")], 30, "held mail")
    settled(setting)
    assert told(setting, case) == ([POSTMASTER] if sender else [])


@pytest.mark.parametrize("reply,status,words", [
    ("550 5.1.1 Secret-Remote says no", "5.1.1", "no such mailbox"),
    ("552 5.2.2 Secret-Remote", "5.2.2", "the mailbox is full"),
    ("550 5.2.1 Secret-Remote", "5.2.1", "the mailbox is suspended"),
    ("551 5.1.6 Secret-Remote <new@x.test>", "5.1.6", "the mailbox has moved"),
    ("554 Secret-Remote", "5.0.0", "the mail system did not take it")])
def test_the_reason_in_our_own_words(setting, reply, status, words):
    """REQ-74: what the customer's server says may quote anything; its status code says enough."""
    subject = f"reason-{reply[:9].replace(' ', '-')}"
    setting.servers[B].answer("rcpt", reply, times=1)
    send(setting, subject, f"ann@{B}")
    notice, = notices(setting.servers[A], "non-delivery", SENDER, subject)
    assert notice.first_line == FIRST["non-delivery"]
    assert notice.text.splitlines()[2].startswith("Your message has NOT been delivered to the "
                                                  "organisation responsible")
    block = notice.blocks[1]
    assert (block["Action"], block["Status"]) == ("failed", status)
    assert block["Diagnostic-Code"] == f"x-secure-email; {words}" and f"\n    {words}\n" in notice.text
    assert notice.message["From"] == f"postmaster@{B}" and b"Secret-" not in notice.mail.raw
    assert header(notice.mail.raw, "X-Sealgate-Verdict") == f"verified; domain={B}"
    trace = [step for row in setting.b.messages(message_id=f"{subject}@x.test")
             for step in setting.b.trace(row["id"]) if step["step"] == "notice"]
    assert trace[0]["detail"]["subject"] == subject and trace[0]["detail"]["sender"] == SENDER


def test_expired_mail_is_told_of_with_its_fields(setting):
    """REQ-74: what Postfix gives up: Subject and Date out of the header that it returns."""
    postfix = setting.platform.postfix_in
    names = ("queue_lifetime", "queue_run_delay", "minimal_backoff_time", "maximal_backoff_time")
    usual = {name: postfix.values[name] for name in names}
    setting.servers[B].answer("data", "450 4.2.2 Secret-Remote")
    postfix.restart(**dict(zip(names, ("3s", "1s", "1s", "1s"))))
    try:
        send(setting, "expired", f"ann@{B}", f"bob@{B}")
        # "out" may have met the restart, "in" a flush while it delivered: both would wait for minutes.
        def gone():
            setting.platform.postfix_out.flush()
            postfix.flush()
            return told(setting, "expired", "non-delivery")
        wait_for(gone, 90, "the mail to expire", 1)
        notice, = notices(setting.servers[A], "non-delivery", SENDER, "expired")
    finally:
        postfix.restart(**usual)
    assert notice.shown() == {"To": f"ann@{B}, bob@{B}", "From": f"<{SENDER}>", "Subject": "expired",
                              "Date": "Mon, 23 Nov 2026 10:00:00 +1300"}
    assert sorted(notice.recipients) == [f"ann@{B}", f"bob@{B}"]
    assert b"Secret-" not in notice.mail.raw
    settled(setting)
    assert told(setting, "expired", "non-delivery") == [SENDER]


@pytest.mark.parametrize("field", ["Auto-Submitted: auto-replied", "Auto-Submitted:\r\n auto-generated"],
                         ids=["replied", "folded"])
def test_machines_mail_that_expires_is_not_told_of(setting, field, request):
    """REQ-93: nor where Postfix gave it up: the header that it returns says that a machine sent it."""
    subject = f"machine-{request.node.callspec.id}"
    setting.servers[B].answer("data", "450 4.2.2 Secret-Remote")
    send(setting, subject, f"ann@{B}", extra=f"{field}\r\n".encode())
    wait_for(lambda: setting.platform.postfix_in.queue(), 30, "the mail in the queue")
    expire(setting)

    def expired():
        setting.platform.postfix_in.flush()
        return [row for row in setting.b.messages(message_id=f"{subject}@x.test")
                if [r["outcome"] for r in row["recipients"]] == ["expired"]]
    row, = wait_for(expired, 90, "word of its end", 1)
    because = [step["detail"]["because"] for step in setting.b.trace(row["id"]) if step["step"] == "no-notice"]
    assert because == ["sent by a machine"]
    settled(setting)
    assert told(setting, subject, "non-delivery") == []


def test_unauthenticated_senders_by_policy(setting):
    """REQ-75, 183: nobody outside is told that a mailbox is not there, unless the domain wants it."""
    server = setting.servers[B]
    sender = f"eve@{OUTSIDE}"

    def refused(subject):
        server.answer("data", "550 5.1.1 no", times=1)
        setting.from_outside(sender, [f"ann@{B}"], simple(sender, [f"ann@{B}"], subject))
        wait_for(lambda: [r for r in setting.b.messages(message_id=f"{subject}@x.test")
                          if setting.b.message(r["id"])["recipients"][0]["outcome"] == "refused"],
                 30, "the refusal")
    refused("quiet")
    settled(setting)
    assert told(setting, "quiet", "non-delivery") == []
    policy(setting, setting.b.domain_path, receipts_for_unauthenticated=True)
    refused("wanted")
    notice, = notices(setting.servers[OUTSIDE], "non-delivery", sender, "wanted")
    assert notice.message["From"] == f"postmaster@{B}" and notice.recipients == [f"ann@{B}"]


def test_two_that_refuse_each_others_notices_come_to_rest(setting):
    """B refuses A's mail, A refuses B's report; the report is answered by nobody. REQ-93"""
    setting.servers[A].answer("rcpt", "550 5.1.1 no")
    setting.servers[B].answer("rcpt", "550 5.1.1 no")
    before = len(setting.tap.messages)
    send(setting, "ping-pong", f"ann@{B}")
    send(setting, "held-too", "ann@one.test")  # the notices to A itself are refused as well

    def refused():
        return rows(setting, "SELECT m.tenant_id FROM sealgate.message m JOIN "
                             "sealgate.message_recipient r ON r.msg_id = m.id WHERE "
                             "m.sender = '' AND r.outcome = 'refused' AND "
                             "m.direction = 'inbound'")
    wait_for(lambda: len(refused()) >= 3, 60, "the refusals of the three notices")
    settled(setting)
    for postfix in (setting.platform.postfix_in, setting.platform.postfix_out):
        wait_for(lambda p=postfix: p.queue() == [], 30, "an empty queue")
    settled(setting)
    assert told(setting, "ping-pong", "non-delivery") == [SENDER]
    assert told(setting, "held-too") == [SENDER, POSTMASTER]
    assert len(setting.tap.messages) - before == 4  # the mail, its report, two of the held one
    assert not [m for m in setting.servers[A].mails + setting.servers[B].mails
                if is_notice(m) and b"ping-pong" in m.raw]


def test_a_certificate_that_is_not_good_is_the_recipients_postmasters_to_know(setting):
    """Table 1, receiving: told of with table 2's line; the sending agency's postmaster is not (REQ-95). What is from a
    postmaster, by its envelope or its From, is the cause of no such message (REQ-93): it is delivered, and traced."""
    ca = further_ca(setting.platform, "rogue-ca", setting.c_port + 1)
    partner = Partner(setting.platform, "rogue.test", ca)
    openssl = peers.OpenSsl(setting.platform.layout.dir, setting.platform.layout.ca / "root.pem")
    openssl.own(partner.identity)
    signed = openssl.sign(b"Content-Type: text/plain\r\n\r\nKia ora.\r\n")

    def arrive(subject, sender, author):
        head = simple(author, [f"ann@{B}"], subject).partition(b"\r\n\r\n")[0]
        setting.from_outside(sender, [f"ann@{B}"],
                             head + b"\r\n" + signed.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        assert header(setting.arrived(B, subject)[0].raw, "X-Sealgate-Verdict") == "unverified; code=102"
    arrive("rogue", "pat@rogue.test", "pat@rogue.test")
    notice, = notices(setting.servers[B], "unverified", f"postmaster@{B}", "rogue")
    assert notice.first_line == FIRST["unverified"].format(codes="102")
    assert notice.message["From"] == f"postmaster@{B}"
    assert notice.message["Auto-Submitted"] == "auto-generated"
    settled(setting)
    assert told(setting, "rogue", "unverified") == [f"postmaster@{B}"]
    assert told(setting, "rogue", "non-delivery") == []
    for case, sender, author in (("envelope", "postmaster@rogue.test", "pat@rogue.test"),
                                 ("author", "pat@rogue.test", "Postmaster@rogue.test"), ("null", "", "pat@rogue.test")):
        arrive(f"of-postmaster-{case}", sender, author)
        row, = wait_for(lambda name=case: setting.b.messages(message_id=f"of-postmaster-{name}@x.test"), 20, "retention")
        wait_for(lambda msg=row["id"]: any(step["step"] == "no-notice" for step in setting.b.trace(msg)), 20, "the trace")
        assert told(setting, f"of-postmaster-{case}", "unverified") == []


def test_a_subject_in_a_charset_that_cannot_be_converted(setting):
    """REQ-77: a stranger chooses the charset and its octets. glibc's converter complains of this one when it has taken
    all of it."""
    gatewayd = setting.platform.gatewayd
    pid = gatewayd.pid()
    setting.from_outside(f"x@{OUTSIDE}", [f"ann@{B}"],
                         f"From: x@{OUTSIDE}\r\nTo: ann@{B}\r\nSubject: =?iso-2022-cn-ext?B?Dg==?= shifted\r\n"
                         "\r\n[SECRET]\r\n".encode())
    mail, = setting.servers[B].wait(1, 60, lambda m: is_notice(m) and b" shifted\r\n" in m.body)  # of code 004
    assert mail.recipients == [f"postmaster@{B}"]
    assert Notice(mail).shown()["Subject"] == "\N{REPLACEMENT CHARACTER} shifted"
    assert gatewayd.pid() == pid


def test_a_stranger_beside_a_member_opens_no_storm_of_his_own(setting):
    """REQ-94: From names another domain each time, and a member; what they are folded by is the member."""
    postmaster, count = f"postmaster@{B}", 30
    policy(setting, setting.b.domain_path, notice_burst=3, notice_repeat_hours=1)
    nobody = forge.self_made(["domain-confidentiality-authority@one.test"], setting.platform.layout.dir)
    signed = forge.detached(b"Content-Type: text/plain\r\n\r\nKia ora.\r\n", [nobody])
    for n in range(count):
        subject = f"many-first-{n:02}"
        setting.from_outside(f"x@{OUTSIDE}", [f"ann@{B}"],
                             f"From: x@r{n}.test, y@one.test\r\nTo: ann@{B}\r\nSubject: {subject}\r\n"
                             f"Message-ID: <{subject}@x.test>\r\nMIME-Version: 1.0\r\n".encode() + signed)
    for n in range(count):
        got, = setting.arrived(B, f"many-first-{n:02}")
        assert header(got.raw, "X-Sealgate-Verdict") == "unverified; code=102"
    settled(setting)
    counted = rows(setting, "SELECT singly, folded, partner FROM sealgate.notice_fold "
                            f"WHERE recipient = '{postmaster}' AND partner ~ '^(r[0-9]+|one)[.]test$'")
    assert counted == [{"singly": 3, "folded": count - 3, "partner": "one.test"}]
    assert len(notices(setting.servers[B], "unverified", postmaster, "many-first-", 3)) == 3


def test_directories_are_asked_of_members_alone(setting):
    """REQ-82: a signature without its certificate, by a stranger who writes a member beside himself."""
    nobody = forge.self_made(["domain-confidentiality-authority@one.test"], setting.platform.layout.dir)
    content = b"Content-Type: text/plain\r\n\r\nKia ora.\r\n"
    signed = peers.signed_entity(content, forge.signed_data(None, [forge.signer(nobody, content)], []), "sha256")

    def asked(first, second, subject):
        setting.from_outside(f"x@{OUTSIDE}", [f"ann@{B}"],
                             f"From: x@{first}, y@{second}\r\nTo: ann@{B}\r\nSubject: {subject}\r\n"
                             f"Message-ID: <{subject}@x.test>\r\nMIME-Version: 1.0\r\n".encode() + signed)
        setting.arrived(B, subject)
        row, = wait_for(lambda: setting.b.messages(message_id=f"{subject}@x.test"), 20, "retention")
        return wait_for(lambda: [step["detail"]["domain"] for step in setting.b.trace(row["id"])
                                 if step["step"] == "signer-lookup"], 20, "the trace")
    assert asked("one.test", "r.test", "member-first") == ["one.test"] * 2  # the store, the directory
    assert asked("r.test", "one.test", "member-second") == ["r.test"]


def test_a_certificate_that_was_passed_over_is_its_agencys_to_know(setting):
    """Table 1, sending: one of no trusted authority was found and a good one too: sent, and told."""
    platform = setting.platform
    rogue = further_ca(platform, "rogue-too", setting.c_port + 1)
    partner = Partner(platform, "mixed.test")
    platform.refca.publish()
    made = int(time.time())  # the newest is looked at first, and certificates have whole seconds
    wait_for(lambda: int(time.time()) > made, 5, "the next second")
    partner.beside(rogue)
    send(setting, "mixed", "ann@mixed.test")
    server = setting.servers["mixed.test"]
    mail, = server.wait(1, 60, lambda m: m.recipients == ["ann@mixed.test"])
    assert b"Secret-" not in mail.raw and "pkcs7-mime" in header(mail.raw, "Content-Type")
    notice, = server.wait(1, 60, lambda m: m.recipients == ["postmaster@mixed.test"])
    assert "pkcs7-mime" in header(notice.raw, "Content-Type")  # REQ-62
    path = partner.folder / "notice.eml"
    path.write_bytes(notice.raw)
    text = peers.run("openssl", "cms", "-decrypt", "-in", path, "-recip",
                     partner.identity.certificate, "-inkey", partner.identity.key)
    assert FIRST["certificate"].encode() in text and b"  Subject: mixed\r\n" in text
    assert header(notice.raw, "From") == POSTMASTER
    settled(setting)
    assert told(setting, "mixed", "certificate") == ["postmaster@mixed.test"]


@contextlib.contextmanager
def bad_certificate(setting):
    """A's own: its people are told by way of its server (REQ-57)."""
    def own(der):
        setting.platform.postgresql.psql(
            f"SET app.actor = 'test'; SET app.now = '{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}'; UPDATE "
            f"sealgate.certificate SET der = decode('{der}', 'hex') WHERE id = '{setting.a.certificate['id']}'")
    settled(setting)
    good, = rows(setting, "SELECT encode(der, 'hex') AS der FROM sealgate.certificate "
                          f"WHERE id = '{setting.a.certificate['id']}'")
    own(forge.load(forge.self_made([POSTMASTER], setting.platform.layout.dir).certificate).public_bytes(forge.DER).hex())
    try:
        yield
    finally:
        own(good["der"])


def test_a_server_that_hangs_costs_one_time_out(setting):
    """Others' notices do not wait for each of those to time out that go to it."""
    server, platform = setting.servers[A], setting.platform
    senders = [f"hang-{n}@{A}" for n in range(4)]
    pending = f"SELECT attempts, next_try_at > now() + interval '1 hour' AND leased_by = '' AS later " \
              f"FROM sealgate.notice WHERE state = 'pending' AND recipient LIKE '%@{A}'"
    with bad_certificate(setting):
        server.answer("data", HANG)
        for n, sender in enumerate(senders):
            send(setting, f"hanging-{n}", f"ann@{B}", sender=sender, author=sender)
        wait_for(lambda: len(found := rows(setting, pending)) == 2 * len(senders) and all(r["later"] for r in found),
                 90, "the notices to wait")
        assert sum(row["attempts"] for row in rows(setting, pending)) == 1
        server.accept_all()
        platform.postgresql.psql("UPDATE sealgate.notice SET next_try_at = now() WHERE state = 'pending'")
        for n, sender in enumerate(senders):
            notices(server, "delayed", sender, f"hanging-{n}")
        settled(setting)


def test_a_server_that_is_slow_has_a_share_of_the_time(setting):
    """It takes each notice, after four seconds: a tenth of the time is spent on it, and another tenant's comes in between."""
    server, platform = setting.servers[A], setting.platform
    senders = [f"slow-{n}@{A}" for n in range(4)]
    pending = f"SELECT id FROM sealgate.notice WHERE state = 'pending' AND recipient LIKE '%@{A}'"
    with bad_certificate(setting):
        server.pause = SLOW_S
        for n, sender in enumerate(senders):
            send(setting, f"slow-{n}", f"ann@{B}", sender=sender, author=sender)
        wait_for(lambda: len(rows(setting, f"{pending} AND next_try_at > now() + interval '{5 * SLOW_S} s'")) == 2 * len(senders) - 1, 60,
                 "one of them to be taken")
        setting.submit(f"bob@{B}", ["x@one.test"], simple(f"bob@{B}", ["x@one.test"], "in-between"), FROM_B)
        notices(setting.servers[B], "delayed", f"bob@{B}", "in-between", timeout=4 * SLOW_S)
        assert len(rows(setting, pending)) == 2 * len(senders) - 1
        server.pause = 0
        platform.postgresql.psql("UPDATE sealgate.notice SET next_try_at = now() WHERE state = 'pending'")
        for n, sender in enumerate(senders):
            notices(server, "delayed", sender, f"slow-{n}")
        settled(setting)
