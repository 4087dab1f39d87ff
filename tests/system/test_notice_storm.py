"""A storm of failing mails gives a bounded number of notices whose counts add up; it costs a message
nothing that grows with the storm. REQ-94"""
import re
import smtplib
import tempfile
import threading
import time

import pytest

from noticeenv import FIRST, SENDER, member, notices, policy, rows, settled
from sealgate.ops import Ops
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, FROM_A, Setting, simple

POSTMASTER, OTHER = f"postmaster@{A}", f"bob@{A}"
BURST, LINES = 5, 20
SETTINGS = {"gatewayd": {"hold.retry_first": "12h", "hold.retry_most": "12h",
                         "notice.summary_lines": str(LINES), "notice.merge": "1s"}}


@pytest.fixture
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgw", dir="/var/tmp") as folder:
        s = Setting(folder, block, settings=SETTINGS, clock=True,
                    routes={name: block.base + 12 for name in ("one.test", "two.test")})
        try:
            s.start()
            member(s, "one.test")
            member(s, "two.test")
            policy(s, notice_burst=BURST, notice_repeat_hours=1)
            yield s
        finally:
            s.stop()


def send_many(setting, first, count, threads=8):
    """From one sender to a partner without a certificate, and held."""
    def work(numbers):
        with smtplib.SMTP("127.0.0.1", setting.platform.port["postfix_out"], "customer.test",
                          timeout=60, source_address=(FROM_A, 0)) as smtp:
            for n in numbers:
                smtp.sendmail(SENDER, ["ann@one.test"],
                              simple(SENDER, ["ann@one.test"], f"storm-{n:05}"))
    workers = [threading.Thread(target=work, args=(range(first + i, count, threads),))
               for i in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    told(setting, count, count, 60 + count / 10)


def told(setting, sender, postmaster, timeout):
    """So many notices stand in the outbox, or did. Each person's is put there by itself: that one was sent says nothing of
    the other's."""
    for to, count in ((SENDER, sender), (POSTMASTER, postmaster)):
        wait_for(lambda t=to, c=count: sum(states(setting, t).values()) == c, timeout, f"{count} notices to {to}", 0.5)


def states(setting, to):
    """How many notices are in which state for who is told; summaries aside."""
    return {row["state"]: row["n"] for row in rows(
        setting, "SELECT state, count(*) AS n FROM sealgate.notice WHERE stands_for = 0 AND "
                 f"recipient = '{to}' GROUP BY state")}


def summaries(setting, to):
    return [n for n in notices(setting.servers[A], "delayed", to)
            if "This notice stands for" in n.text]


def check_summary(summary, count):
    assert summary.first_line == FIRST["delayed"].format(hours=11, codes="201")  # an hour later
    assert f"This notice stands for {count} of its kind.\n" in summary.text
    assert summary.message["Subject"] == f"SECURE DELIVERY DELAYED ({count} messages)"
    listed = re.findall(r"(?m)^  Subject: (storm-\d+)$", summary.text)
    assert len(set(listed)) == len(listed) == min(count, LINES)
    assert summary.text.count("  Concerning: ann@one.test\n") == len(listed)
    assert (f"\nAnd {count - LINES} more.\n" in summary.text) == (count > LINES)
    assert set(re.findall(r"(?m)^  ([A-Z][A-Za-z]+): ", summary.text)) == {
        "To", "From", "Date", "Subject", "Concerning"}
    return listed


def hold_cost(setting):
    """Seconds of the stage that holds and tells, and how many messages went through it."""
    series = Ops(setting.platform.layout.ops("gatewayd")).series()
    return [series.get(f'sealgate_gateway_stage_seconds_{part}{{stage="hold"}}', 0)
            for part in ("sum", "count")]


def mean(before, after):
    return (after[0] - before[0]) / (after[1] - before[1]) * 1000


def others(setting, count, timeout):
    # Another sender, and another partner, are no part of it.
    setting.submit(OTHER, ["ann@one.test"], simple(OTHER, ["ann@one.test"], "other-sender"))
    setting.submit(SENDER, ["ann@two.test"], simple(SENDER, ["ann@two.test"], "other-partner"))
    notices(setting.servers[A], "delayed", OTHER, "other-sender", timeout=timeout)
    notices(setting.servers[A], "delayed", SENDER, "other-partner", timeout=timeout)
    told(setting, count + 1, count + 2, timeout)
    settled(setting, timeout)
    # One went singly to the other partner's, one more to the postmaster's of the storm.
    assert states(setting, SENDER) == {"sent": BURST + 1, "folded": count - BURST}
    assert states(setting, POSTMASTER) == {"sent": BURST + 1, "folded": count + 1 - BURST}


def check_storm(setting, count, timeout=60):
    others(setting, count, timeout)
    before = len(setting.servers[A].mails)
    assert before == 2 * (BURST + 1) + 1
    setting.platform.clock_set(3700)
    wait_for(lambda: summaries(setting, SENDER) and summaries(setting, POSTMASTER), timeout,
             "the summaries")
    (mine,), (theirs,) = summaries(setting, SENDER), summaries(setting, POSTMASTER)
    listed = check_summary(mine, count - BURST)
    check_summary(theirs, count + 1 - BURST)
    singly = {n.shown()["Subject"] for n in notices(setting.servers[A], "delayed", SENDER)
              if n.blocks and n.shown()["Subject"].startswith("storm-")}
    assert len(singly) == BURST and singly.isdisjoint(listed)
    settled(setting)
    assert len(setting.servers[A].mails) == before + 2
    # Support sees which notices a summary stands for.
    summary, = setting.platform.api.list(f"{setting.a.path}/notices", recipient=SENDER, state="sent",
                                         msg_id=None, limit=500)[-1:]
    assert summary["stands_for"] == count - BURST and summary["msg_id"] is None
    folded = setting.platform.api.get(f"{setting.a.path}/notices", summary_id=summary["id"], limit=50)
    assert {row["state"] for row in folded["data"]} == {"folded"}
    assert len(folded["data"]) == min(50, count - BURST)
    # A period without any ends it: no more summaries, and the next one goes singly.
    setting.platform.clock_set(7400)
    wait_for(lambda: rows(setting, "SELECT 1 FROM sealgate.notice_fold") == [], timeout, "the end")
    setting.submit(SENDER, ["ann@one.test"], simple(SENDER, ["ann@one.test"], "after-it"))
    notices(setting.servers[A], "delayed", SENDER, "after-it")
    told(setting, count + 2, count + 3, timeout)
    settled(setting)
    assert len(setting.servers[A].mails) == before + 4
    assert rows(setting, "SELECT id FROM sealgate.notice WHERE original <> ''") == []


def test_storm(setting):
    send_many(setting, 0, 60)
    check_storm(setting, 60)


@pytest.mark.long
def test_storm_of_ten_thousand(setting, capsys):
    """The same, and what a message costs does not grow with the storm."""
    costs, began = [hold_cost(setting)], time.monotonic()
    for first, last in ((0, 1000), (1000, 9000), (9000, 10000)):
        send_many(setting, first, last)
        costs.append(hold_cost(setting))
    held = time.monotonic() - began
    check_storm(setting, 10000, 600)
    first, _, last = (mean(a, b) for a, b in zip(costs, costs[1:]))
    with capsys.disabled():
        print(f"\n10000 mails held in {held:.0f} s; holding and telling took {first:.1f} ms a mail "
              f"among the first thousand, {last:.1f} ms among the last; "
              f"{len(setting.servers[A].mails)} notices")
    assert last < 2 * first + 5
