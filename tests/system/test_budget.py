"""The CPU time of a message has an end: one within all limits of size and structure that takes more is judged as what nobody
can read, soon, and the next one is served. REQ-33"""
import tempfile
import time

import pytest

from policylab import A, Lab, mail
from sealgate.ports import PortBlock
from setting import OUTSIDE

CPU = "50ms"
MEMBER_OF_A, SOMEBODY = f"joe@{A}", f"x@{OUTSIDE}"
DEAR = "<a style=font-size:0.1>&a;</a>\r\n" * 500000
HTML = "MIME-Version: 1.0\r\nContent-Type: text/html\r\n"


@pytest.fixture(scope="module")
def lab():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgb", dir="/var/tmp") as folder:
        s = Lab(folder, block, settings={"gatewayd": {"limits.message_cpu": CPU}})
        try:
            yield s.start()
        finally:
            s.stop()


def submit(lab, subject, body):
    lab.submit(MEMBER_OF_A, [SOMEBODY], mail(MEMBER_OF_A, [SOMEBODY], subject, body, fields=HTML))


@pytest.mark.smoke
def test_text_that_takes_long(lab):
    began = time.monotonic()
    submit(lab, "dear", DEAR)
    lab.settled("dear", {SOMEBODY: "held"})
    assert time.monotonic() - began < 60
    assert lab.decided("dear")["rule"] == "undecodable"
    [step] = [s["detail"] for s in lab.trace("dear") if s["step"] == "undecodable"]
    assert step["why"] == "takes more time to read than there is"
    assert lab.held(lab.a, OUTSIDE)["quarantined"]
    submit(lab, "cheap", "<p>Kia ora.</p>\r\n")
    assert lab.arrived(OUTSIDE, "cheap")
