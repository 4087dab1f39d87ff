"""REQ-142: a service that is suspended carries no mail. Both edges say so with 4xx, so that nothing is
lost when it is lifted; one that is closed is refused for good."""
import smtplib
import tempfile

import pytest

from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, FROM_A, FROM_B, OUTSIDE, Setting, simple


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgs", dir="/var/tmp") as folder:
        s = Setting(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


def outcome(send):
    """The reply at which a mail ended; 250 where it was taken."""
    try:
        send()
    except smtplib.SMTPRecipientsRefused as refused:
        return next(iter(refused.recipients.values()))[0]
    except smtplib.SMTPResponseException as refused:
        return refused.smtp_code
    return 250


def test_suspended_waits_and_closed_is_refused(setting):
    s = setting
    api, path = s.platform.api, f"/v1/tenants/{s.b.tenant['id']}"
    out = lambda subject: outcome(lambda: s.submit(f"ann@{B}", [f"joe@{A}"], simple(f"ann@{B}", [f"joe@{A}"], subject), FROM_B))  # noqa: E731
    into = lambda subject: outcome(lambda: s.from_outside(f"x@{OUTSIDE}", [f"ann@{B}"], simple(f"x@{OUTSIDE}", [f"ann@{B}"], subject)))  # noqa: E731
    assert (out("before-out"), into("before-in")) == (250, 250)
    s.arrived(A, "before-out"), s.arrived(B, "before-in")

    api.post(f"{path}/suspend", {"reason": "a test"})
    assert (out("while-out"), into("while-in")) == (450, 450)
    # The others go on; what they send to it waits in the queue, and goes when it is lifted.
    s.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], "waits"), FROM_A)
    s.submit(f"joe@{A}", [f"x@{OUTSIDE}"], simple(f"joe@{A}", [f"x@{OUTSIDE}"], "goes-on"), FROM_A)
    s.arrived(OUTSIDE, "goes-on")
    log = s.platform.postfix_out.log
    wait_for(lambda: "domain is suspended for now" in log.read_text(errors="replace"), 30, "the deferral")

    api.post(f"{path}/resume")
    s.arrived(B, "waits", timeout=120)
    assert (out("after-out"), into("after-in")) == (250, 250)
    s.arrived(A, "after-out"), s.arrived(B, "after-in")

    api.post(f"{path}/cancellation", {"reason": "abuse", "notice_days": 0})
    wait_for(lambda: api.get(path)["state"] == "closed", 30, "the end")
    # smtpd remembers for a while where an address goes: so another one.
    refused = outcome(lambda: s.from_outside(f"x@{OUTSIDE}", [f"bob@{B}"],
                                             simple(f"x@{OUTSIDE}", [f"bob@{B}"], "closed-in")))
    assert (out("closed-out"), refused) == (550, 554)
