"""When the customer's server, PostgreSQL or hsmd is away or says no: nothing leaks, nothing is lost.

REQ-62 REQ-74 REQ-77 REQ-80 REQ-92 REQ-93
"""
import base64
import tempfile

import pytest

import corpus
from noticeenv import expire
from sealgate.mailserver import HANG
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, OUTSIDE, Setting, header, simple

MARK = "Plaintext-Marker-0815"
DSN = {"options": ["RET=FULL", "ENVID=mail-1"], "rcpt_options": ["NOTIFY=SUCCESS,FAILURE,DELAY"]}


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgf", dir="/var/tmp") as folder:
        s = Setting(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


@pytest.fixture(autouse=True)
def well_again(setting):
    yield
    for server in setting.servers.values():
        server.accept_all()


def leaks(setting, subject):
    """What passed the wire or reached anybody but B with the marker of that mail in it."""
    mark = f"{MARK}-{subject}".encode()
    found = []
    for _, raw in setting.tap.messages:
        texts = [raw]
        _, body = corpus.split(raw)
        try:
            texts.append(base64.b64decode(body))
        except ValueError:
            pass
        if any(mark in text for text in texts):
            found.append(raw)
    for domain, server in setting.servers.items():
        if domain != B:
            found += [mail.raw for mail in server.mails if mark in mail.raw]
    return found


def send(setting, subject, recipients=(f"ann@{B}",), **more):
    setting.submit(f"joe@{A}", list(recipients),
                   simple(f"joe@{A}", recipients, subject, f"{MARK}-{subject}\r\n"), **more)


def report(setting, subject):
    """Our report about that mail at A's server."""
    field = f"  Subject: {subject}".encode()
    return setting.servers[A].wait(
        1, 60, lambda m: field in m.body and m.recipients == [f"joe@{A}"])[0]


@pytest.mark.parametrize("stage", ["rcpt", "data"])
def test_customers_server_says_550(setting, stage):
    """Our own report, sealed, with four header fields; no bounce of Postfix, no body."""
    subject = f"refused-at-{stage}"
    setting.servers[B].answer(stage, "550 5.1.1 no such mailbox here")
    send(setting, subject, **DSN)
    notice = report(setting, subject)
    text = notice.body.decode()
    assert notice.sender == ""
    assert f"From: postmaster@{B}".encode() in notice.raw
    assert header(notice.raw, "X-Sealgate-Verdict") == f"verified; domain={B}"
    lines = text[text.index("NON DELIVERY REPORT"):].splitlines()
    assert lines[0].startswith("NON DELIVERY REPORT \u2013 Your message was NOT delivered")
    assert lines[2].startswith("Your message has NOT been delivered to the organisation")
    assert "no such mailbox" in text and "mailbox here" not in text and f"Final-Recipient: rfc822; ann@{B}" in text
    assert "Message-ID: <refused" not in text
    assert leaks(setting, subject) == []
    wire = [raw for _, raw in setting.tap.messages if b"NON DELIVERY REPORT" in raw]
    assert wire and all("pkcs7-mime" in header(raw, "Content-Type") for raw in wire)
    wait_for(lambda: setting.platform.postfix_in.queue() == [], 30, "an empty queue")


@pytest.mark.parametrize("reply", ["450 4.2.0 mailbox busy", HANG, None])
def test_customers_server_is_not_ready(setting, reply):
    """450, silence, nobody there: the sealed original waits in Postfix, then arrives once."""
    subject = f"waits-{'gone' if reply is None else reply[:3]}"
    server = setting.servers[B]
    if reply is None:
        server.stop()
    else:
        server.answer("data", reply)
    before = len(server.log)
    send(setting, subject, **DSN)

    def waiting():
        queue = setting.platform.postfix_in.queue()
        return queue if queue and all(r.get("delay_reason") for q in queue
                                      for r in q["recipients"]) else None
    if reply == HANG:
        wait_for(lambda: "DATA" in server.log[before:], 60, "the hanging delivery")
        server.stop()  # it would hang for minutes; the connection breaks instead
    queued = wait_for(waiting, 60, "the mail in Postfix's queue")
    for entry in queued:
        assert MARK not in setting.platform.postfix_in.message(entry["queue_id"])
    server.accept_all()
    if reply is None or reply == HANG:
        server.start()
    field = b"\r\nSubject: " + subject.encode()
    got = setting.platform.postfix_in.flush_until(
        lambda: [m for m in server.mails if field in b"\r\n" + m.head], 60, subject)
    wait_for(lambda: setting.platform.postfix_in.queue() == [], 30, "an empty queue")
    assert len([m for m in server.mails if field in b"\r\n" + m.head]) == len(got) == 1
    assert leaks(setting, subject) == []


def test_mail_that_expires_in_postfix(setting):
    """What Postfix "in" gives up becomes our own report, sealed; Postfix's bounce goes nowhere."""
    postfix, server = setting.platform.postfix_in, setting.servers[B]
    usual = {name: postfix.values[name] for name in ("queue_lifetime", "queue_run_delay",
                                                     "minimal_backoff_time",
                                                     "maximal_backoff_time")}
    server.answer("data", "450 4.2.2 mailbox full")
    postfix.restart(queue_lifetime="3s", queue_run_delay="1s", minimal_backoff_time="1s",
                    maximal_backoff_time="1s")
    try:
        send(setting, "expires", **DSN)
        notice = setting.servers[A].wait(
            1, 90, lambda m: b"NON DELIVERY REPORT" in m.body
            and m.recipients == [f"joe@{A}"] and f"ann@{B}".encode() in m.body
            and b"the mailbox is full" in m.body and b"Status: 5.2.2" in m.body)[0]
        wait_for(lambda: postfix.queue() == [], 30, "an empty queue")
    finally:
        postfix.restart(**usual)
    assert notice.sender == "" and f"From: postmaster@{B}".encode() in notice.raw
    assert header(notice.raw, "X-Sealgate-Verdict") == f"verified; domain={B}"
    assert leaks(setting, "expires") == []
    assert not [m for m in server.mails if b"Subject: expires" in m.head]


@pytest.mark.parametrize("sender", [f"away@{OUTSIDE}", f"away@{A}"], ids=["outside", "ours"])
def test_mail_that_gatewayd_never_saw_is_reported(setting, sender):
    """It was away for as long as Postfix kept the mail: nobody chose that it was not judged (REQ-74)."""
    postfix, gatewayd = setting.platform.postfix_in, setting.platform.gatewayd
    gatewayd.stop()
    try:
        setting.from_outside(sender, [f"ann@{B}"], simple(sender, [f"ann@{B}"], "never-seen"))
        expire(setting)
    finally:
        gatewayd.start()
    postfix.flush_until(lambda: not postfix.queue(), 90, "an empty queue")  # the report may be late
    server = setting.servers[sender.partition("@")[2]]
    setting.platform.postfix_out.flush_until(
        lambda: [m for m in server.mails if b"NON DELIVERY REPORT" in m.body and m.recipients == [sender]], 60, "the report")


def test_one_of_two_recipients_is_refused(setting):
    setting.servers[B].answer("rcpt", "550 5.1.1 unknown", to=f"gone@{B}")
    send(setting, "half", [f"ann@{B}", f"gone@{B}"])
    assert setting.arrived(B, "half")[0].recipients == [f"ann@{B}"]
    text = report(setting, "half").body.decode()
    assert f"Final-Recipient: rfc822; gone@{B}" in text
    assert f"Final-Recipient: rfc822; ann@{B}" not in text


def test_forged_mail_that_is_refused_tells_nobody(setting):
    """Who was not shown to be the sender gets no report (no backscatter)."""
    setting.servers[B].answer("rcpt", "550 5.1.1 unknown", to=f"victim@{B}")
    setting.from_outside(f"joe@{A}", [f"victim@{B}"],
                         simple(f"joe@{A}", [f"victim@{B}"], "forged-refused"))

    def settled():
        rows = setting.b.messages(message_id="forged-refused@x.test")
        if not rows:
            return False
        outcome = setting.b.message(rows[0]["id"])["recipients"][0]["outcome"]
        return outcome == "refused"
    wait_for(settled, 30, "the refusal in the retention log")
    send(setting, "after-forged")
    setting.arrived(B, "after-forged")
    assert not [m for m in setting.servers[A].mails if b"forged-refused" in m.raw]


def test_null_sender_is_never_answered(setting):
    setting.servers[B].answer("rcpt", "550 5.1.1 unknown", to=f"nobody@{B}")
    before = len(setting.servers[OUTSIDE].mails)
    setting.from_outside("", [f"nobody@{B}"],
                         simple(f"mailer@{OUTSIDE}", [f"nobody@{B}"], "null-refused"))
    wait_for(lambda: [r for r in setting.b.messages(message_id="null-refused@x.test")
                      if setting.b.message(r["id"])["recipients"][0]["outcome"] == "refused"],
             30, "the refusal")
    assert len(setting.servers[OUTSIDE].mails) == before


@pytest.mark.parametrize("what", ["hsmd", "postgresql"])
def test_a_part_is_away(setting, what):
    """Mail waits in Postfix, in the clear nowhere but there, and flows again by itself."""
    part = getattr(setting.platform, what)
    platform = setting.platform
    send(setting, f"before-{what}")
    setting.arrived(B, f"before-{what}")
    part.stop()
    try:
        if what == "hsmd":
            send(setting, f"during-{what}")
            wait_for(lambda: platform.postfix_out.queue(), 30, "the mail in the queue of \"out\"")
        else:
            # the edge cannot ask whose mail it is, and does not guess
            with pytest.raises(Exception) as refused:
                send(setting, f"during-{what}")
            code = getattr(refused.value, "smtp_code", None) or next(
                iter(refused.value.recipients.values()))[0]
            assert 400 <= code < 500
    finally:
        part.start()
    assert leaks(setting, f"during-{what}") == []
    if what == "postgresql":
        wait_for(lambda: accepted(setting, f"during-{what}"), 120, "the edge answering again", 1.0)
    field = f"\r\nSubject: during-{what}".encode()
    platform.postfix_out.flush_until(
        lambda: [m for m in setting.servers[B].mails if field in b"\r\n" + m.head], 120, f"during-{what}")
    assert leaks(setting, f"during-{what}") == []


def accepted(setting, subject):
    import smtplib
    try:
        send(setting, subject)
        return True
    except smtplib.SMTPException:
        return False


def test_gatewayd_is_killed_and_comes_back(setting):
    """kill -9 with mail in flight: what was accepted arrives, each once."""
    import os
    import signal
    gatewayd = setting.platform.gatewayd
    setting.servers[B].answer("data", HANG, times=1)
    rule = setting.servers[B].rules["data"][0]
    send(setting, "in-flight")
    wait_for(lambda: rule.times == 0, 30, "mail in flight")  # all of it was taken, and no answer
    os.kill(gatewayd.pid(), signal.SIGKILL)
    wait_for(lambda: gatewayd.pid() is None, 10, "the end of gatewayd")
    gatewayd.start()
    setting.servers[B].stop()  # its courier hears that there will be no answer, and that it is to be sent again
    setting.servers[B].start()

    def arrived():
        setting.platform.postfix_in.flush()
        setting.platform.postfix_out.flush()
        return [m for m in setting.servers[B].mails if b"\r\nSubject: in-flight" in m.head]
    got = wait_for(arrived, 90, "the mail that was in flight", 1.0)
    wait_for(lambda: setting.platform.postfix_in.queue() == [], 60, "an empty queue")
    assert len(got) == 1 and got[0].raw.endswith(f"{MARK}-in-flight\r\n".encode())
    assert leaks(setting, "in-flight") == []
