"""Everything at once: mail both ways, configuration read anew, figures asked for, dry runs, policies that change, a
token that begins anew. Nothing is lost. Under ThreadSanitizer (tools/check --long, step tsan) nothing races.
REQ-62 REQ-87"""
import base64
import os
import signal
import smtplib
import tempfile
import threading

import pytest

from sealgate.ops import Ops
from sealgate.ports import PortBlock
from setting import A, B, FROM_A, FROM_B, Setting, header, simple

MAILS, SENDERS = 12, 3  # of each sender, each way


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgr", dir="/var/tmp") as folder:
        s = Setting(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


class Beside(threading.Thread):
    """Does one thing again and again until it is stopped; what it raised is raised by end()."""

    def __init__(self, work):
        super().__init__()
        self.work, self.stopped, self.error, self.count = work, threading.Event(), None, 0
        self.start()

    def run(self):
        try:
            while not self.stopped.is_set():
                self.work(self.count)
                self.count += 1
        except Exception as error:  # pylint: disable=broad-exception-caught
            self.error = error

    def end(self):
        self.join()
        if self.error:
            raise self.error
        assert self.count > 0


def mails(setting, sender, recipient, source, number):
    with smtplib.SMTP("127.0.0.1", setting.platform.port["postfix_out"], "customer.test", timeout=60,
                      source_address=(source, 0)) as smtp:
        for n in range(MAILS):
            smtp.sendmail(sender, [recipient], simple(sender, [recipient], f"race-{sender}-{number}-{n}"))


def hang_up(setting):
    for daemon in (setting.platform.hsmd, setting.platform.apid, setting.platform.tenantd,
                   setting.platform.gatewayd):
        os.kill(daemon.pid(), signal.SIGHUP)


def dry_run(setting):
    setting.platform.api.post(f"{setting.a.path}/simulations", {
        "direction": "outbound", "sender": f"joe@{A}", "recipients": [f"ann@{B}"],
        "message": base64.b64encode(simple(f"joe@{A}", [f"ann@{B}"], "dry")).decode()})


def test_everything_at_once(setting):
    figures = [Ops(setting.platform.layout.ops(name)) for name in ("hsmd", "tenantd", "gatewayd", "apid")]
    path = f"{setting.a.domain_path}/policy"
    senders = [threading.Thread(target=mails, args=(setting, *way, n)) for n in range(SENDERS) for way in
               ((f"joe@{A}", f"ann@{B}", FROM_A), (f"ann@{B}", f"joe@{A}", FROM_B))]
    beside = [Beside(lambda n: hang_up(setting)),
              Beside(lambda n: [ops.metrics() and ops.health() for ops in figures]),
              Beside(lambda n: dry_run(setting)),
              Beside(lambda n: setting.platform.api.put(path, {"weak_algorithms": n % 2 == 0}))]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join()
    try:
        for way in ((f"joe@{A}", B), (f"ann@{B}", A)):
            for n in range(SENDERS):
                for got in setting.arrived(way[1], f"race-{way[0]}-{n}-", MAILS, 120):
                    assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={way[0].partition('@')[2]}"
    finally:
        for thread in beside:
            thread.stopped.set()
        for thread in beside:
            thread.end()
