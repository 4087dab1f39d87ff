"""Delivery receipts: asked for by [RSVPDR], sent when the customer's server has the mail, to who is shown
to have sent it.

REQ-35 REQ-62 REQ-73 REQ-75 REQ-77 REQ-184
"""
import email.utils
import tempfile
import time

import pytest

from noticeenv import FIRST, SENDER, member, notices, policy, rows, settled
from sealgate.ops import Ops
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, OUTSIDE, Setting, header, simple


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgr", dir="/var/tmp") as folder:
        s = Setting(folder, block, settings={"gatewayd": {
            "hold.retry_first": "1s", "hold.retry_most": "1s", "notice.attempts": "3", "notice.waiting": "2s"}})
        try:
            yield s.start()
        finally:
            s.stop()


@pytest.fixture(autouse=True)
def well_again(setting):
    yield
    for server in setting.servers.values():
        server.accept_all()
    policy(setting, setting.b.domain_path)


def send(setting, subject, *recipients, body="Kia ora.\r\n", extra=b""):
    setting.submit(SENDER, list(recipients), extra + simple(SENDER, recipients, subject, body))


def receipts(setting, message_id):
    """Of that mail, in whatever state."""
    return rows(setting, "SELECT n.state, n.recipient FROM sealgate.notice n JOIN sealgate.message m "
                         f"ON m.id = n.msg_id WHERE m.message_id = '{message_id}@x.test' "
                         "AND n.kind = 'receipt'")


def outcome(setting, subject, wanted):
    wait_for(lambda: [r for row in setting.b.messages(message_id=f"{subject}@x.test")
                      for r in setting.b.message(row["id"])["recipients"] if r["outcome"] == wanted],
             60, f"{subject} {wanted}")


def test_receipt(setting):
    """Table 4 first, the four fields, and when the server took it; sealed; the log has it too."""
    before = time.time()
    send(setting, "[RSVPDR] lunch", f"ann@{B}", f"Bob@{B}")
    receipt, = notices(setting.servers[A], "receipt", SENDER, "[RSVPDR] lunch")
    arrived = setting.arrived(B, "[RSVPDR] lunch")
    assert receipt.first_line == FIRST["receipt"]
    assert receipt.shown() == {"To": f"ann@{B}, Bob@{B}", "From": f"<{SENDER}>",
                               "Date": "Mon, 23 Nov 2026 10:00:00 +1300",
                               "Subject": "[RSVPDR] lunch"}
    times = [email.utils.parsedate_to_datetime(line.partition(": ")[2]).timestamp()
             for line in receipt.text.splitlines() if line.startswith("    Received: ")]
    assert len(times) == 2 and all(before - 2 < at < arrived[0].received_at + 60 for at in times)
    assert receipt.recipients == [f"ann@{B}", f"Bob@{B}"]
    assert {(b["Action"], b["Status"]) for b in receipt.blocks[1:]} == {("delivered", "2.0.0")}
    assert receipt.message["From"] == f"postmaster@{B}" and receipt.mail.sender == ""
    assert receipt.message["Auto-Submitted"] == "auto-replied"
    assert header(receipt.mail.raw, "X-Sealgate-Verdict") == f"verified; domain={B}"
    assert b"Kia ora" not in receipt.mail.raw
    trace = [step["detail"] for row in setting.b.messages(message_id="[RSVPDR] lunch@x.test")
             for step in setting.b.trace(row["id"]) if step["step"] == "notice"]
    assert [(t["kind"], t["to"], t["sender"], t["subject"]) for t in trace] == [
        ("receipt", SENDER, SENDER, "[RSVPDR] lunch")]


@pytest.mark.parametrize("subject,body,wanted", [
    ("in-the-body", "Please [RSVPDR] me\r\n", True), ("no-word", "Kia ora RSVPDR [rsvpdr]\r\n", False)])
def test_the_word_may_stand_in_the_sealed_body(setting, subject, body, wanted):
    send(setting, subject, f"ann@{B}", body=body)
    setting.arrived(B, subject)
    outcome(setting, subject, "delivered")
    settled(setting)
    assert len(receipts(setting, subject)) == wanted
    if wanted:
        notices(setting.servers[A], "receipt", SENDER, subject)


def test_no_receipt_before_the_server_has_it(setting):
    """450 first: the receipt waits, whatever kill -9 does meanwhile, and comes once."""
    postfix, server = setting.platform.postfix_in, setting.servers[B]
    server.answer("data", "450 4.2.0 busy")
    send(setting, "later", f"ann@{B}", body="[RSVPDR]\r\n")
    outcome(setting, "later", "deferred")
    setting.platform.gatewayd.kill()
    setting.platform.gatewayd.start()
    assert [r["state"] for r in receipts(setting, "later")] == ["open"]
    server.accept_all()

    def arrived():
        postfix.flush()
        return [m for m in server.mails if b"Subject: later" in m.head]
    wait_for(arrived, 60, "the mail", 0.5)
    notices(setting.servers[A], "receipt", SENDER, "later")
    settled(setting)
    assert receipts(setting, "later") == [{"state": "sent", "recipient": SENDER}]


def test_the_sender_knows_that_it_waits(setting):
    """REQ-184: once, when the recipient's server has not taken it for some time; with the reason."""
    postfix, server = setting.platform.postfix_in, setting.servers[B]
    server.answer("data", "450 4.2.2 Secret-Remote")
    send(setting, "patience", f"ann@{B}", f"bob@{B}")

    def told():
        postfix.flush()
        return [r for r in rows(setting, "SELECT state FROM sealgate.notice WHERE kind = 'waiting'")
                if r["state"] == "sent"]
    wait_for(told, 60, "the notice", 0.5)
    notice, = notices(setting.servers[A], "waiting", SENDER, "patience")
    assert notice.first_line == FIRST["waiting"]
    assert sorted(notice.recipients) == [f"ann@{B}", f"bob@{B}"]
    assert {(b["Action"], b["Status"]) for b in notice.blocks[1:]} == {("delayed", "4.2.2")}
    assert "\n    the mailbox is full\n" in notice.text and b"Secret-" not in notice.mail.raw
    postfix.flush()
    server.accept_all()
    wait_for(lambda: postfix.flush() or [m for m in server.mails if b"Subject: patience" in m.head],
             60, "the mail", 0.5)
    settled(setting)
    assert len(rows(setting, "SELECT id FROM sealgate.notice WHERE kind = 'waiting'")) == 1


def test_one_has_it_and_the_other_never_will(setting):
    """A receipt for one and a report for the other."""
    setting.servers[B].answer("rcpt", "550 5.1.1 no", to=f"nobody@{B}")
    send(setting, "split", f"ann@{B}", f"nobody@{B}", body="[RSVPDR]\r\n")
    receipt, = notices(setting.servers[A], "receipt", SENDER, "split")
    report, = notices(setting.servers[A], "non-delivery", SENDER, "split")
    assert receipt.recipients == [f"ann@{B}"] and report.recipients == [f"nobody@{B}"]


def test_refused_mail_has_no_receipt(setting):
    setting.servers[B].answer("data", "550 5.7.1 no")
    send(setting, "refused", f"ann@{B}", body="[RSVPDR]\r\n")
    notices(setting.servers[A], "non-delivery", SENDER, "refused")
    wait_for(lambda: receipts(setting, "refused") == [], 60, "the receipt to be dropped")


@pytest.mark.parametrize("case,extra", [("machine", b"Auto-Submitted: auto-generated\r\n"),
                                        ("list", b"List-Id: <l.agency-a.test>\r\n")])
def test_nobody_waits_for_these(setting, case, extra):
    """What a machine or a list sent has no receipt (RFC 3834)."""
    send(setting, f"{case}-mail", f"ann@{B}", body="[RSVPDR]\r\n", extra=extra)
    outcome(setting, f"{case}-mail", "delivered")
    assert receipts(setting, f"{case}-mail") == []


def test_others_by_policy_alone(setting):
    """REQ-75: the sender of plain mail may be anybody."""
    sender = f"eve@{OUTSIDE}"
    setting.from_outside(sender, [f"ann@{B}"], simple(sender, [f"ann@{B}"], "[RSVPDR] a"))
    outcome(setting, "[RSVPDR] a", "delivered")
    assert receipts(setting, "[RSVPDR] a") == []
    policy(setting, setting.b.domain_path, receipts_for_unauthenticated=True)
    setting.from_outside(sender, [f"ann@{B}"], simple(sender, [f"ann@{B}"], "[RSVPDR] b"))
    receipt, = notices(setting.servers[OUTSIDE], "receipt", sender, "[RSVPDR] b")
    assert receipt.first_line == FIRST["receipt"]


def test_signed_mail_that_another_sends_on(setting):
    """What A signed, sent again by somebody with an envelope sender of his choice: no receipt for him."""
    send(setting, "[RSVPDR] replayed", f"ann@{B}")
    notices(setting.servers[A], "receipt", SENDER, "[RSVPDR] replayed")
    (_, wire), = setting.on_wire("[RSVPDR] replayed")
    setting.from_outside(f"victim@{OUTSIDE}", [f"bob@{B}"],
                         wire.replace(b"Subject: [RSVPDR] replayed", b"Subject: [RSVPDR] again"))
    again, = setting.arrived(B, "[RSVPDR] again")
    assert header(again.raw, "X-Sealgate-Verdict") == f"verified; domain={A}"
    wait_for(lambda: len(rows(setting, "SELECT r.outcome FROM sealgate.message m JOIN "
                              "sealgate.message_recipient r ON r.msg_id = m.id WHERE m.sender = "
                              f"'victim@{OUTSIDE}' AND r.outcome = 'delivered'")) == 1, 30, "the log")
    assert rows(setting, f"SELECT id FROM sealgate.notice WHERE recipient = 'victim@{OUTSIDE}'") == []


def test_a_notice_that_cannot_be_sealed_waits_and_is_never_plain(setting):
    """REQ-62: to a member without a certificate it is tried again, then given up, where all can see it."""
    api, sender = setting.platform.api, "eve@nocert.test"
    member(setting, "nocert.test")
    policy(setting, setting.b.domain_path, receipts_for_unauthenticated=True)
    setting.servers[B].answer("data", "550 5.1.1 no")
    setting.from_outside(sender, [f"ann@{B}"], simple(sender, [f"ann@{B}"], "unsealable"))

    def failed():
        return api.list(f"{setting.b.path}/notices", state="failed", recipient=sender)
    notice, = wait_for(failed, 60, "the notice to be given up", 0.2)
    assert (notice["kind"], notice["attempts"]) == ("non-delivery", 3)
    assert notice["concerning"] == [f"ann@{B}"] and "certificate" in notice["last_error"]
    assert notice["stands_for"] == 0 and notice["summary_id"] is None
    assert api.get(f"{setting.b.path}/notices/{notice['id']}") == notice
    assert api.list(f"{setting.a.path}/notices", recipient=sender) == []
    assert not [m for m in setting.servers[OUTSIDE].mails if m.recipients == [sender]]
    series = Ops(setting.platform.layout.ops("gatewayd")).series()
    name = 'sealgate_gateway_notices_total{kind="non-delivery",state="%s"}'
    assert series[name % "failed"] == 1 and series[name % "deferred"] == 2
    assert '"notice.failed"' in setting.platform.gatewayd.log.read_text()
