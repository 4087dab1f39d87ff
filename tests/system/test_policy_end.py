"""The end of the rules: a mail that no rule speaks of, made by a gatewayd that passes over one of them.

REQ-3 REQ-42
"""
import tempfile

import pytest

from members import text_of
from policylab import PARTNER, Lab, mail
from sealgate.ports import PortBlock
from setting import A, B, OUTSIDE, header


@pytest.fixture
def lab(request):
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sge", dir="/var/tmp") as folder:
        s = Lab(folder, block, clock=True, settings={"gatewayd": {"policy.rule_off": request.param}})
        try:
            yield s.start()
        finally:
            s.stop()


@pytest.mark.parametrize("lab", ["exception"], indirect=True)
def test_what_leaves_is_quarantined(lab):
    """Table 2, 009: nothing of it goes out, and the administrator hears of it; a release changes nothing."""
    lab.submit(f"joe@{A}", [f"x@{PARTNER}"], mail(f"joe@{A}", [f"x@{PARTNER}"], "end-of-rules"))
    held = lab.held(lab.a, PARTNER)
    assert held["quarantined"] and held["reason"] == "009"
    notice = lab.notice(A, "SYSTEM FAILURE MESSAGE", "end-of-rules", to=f"postmaster@{A}")
    assert b"A message has passed through the Secure Email rule set without being processed. [Code: 009]" in notice.raw
    lab.platform.api.post(f"{lab.a.path}/held/{held['id']}/release")
    lab.submit(f"joe@{A}", [f"ann@{B}"], mail(f"joe@{A}", [f"ann@{B}"], "other-rules"))
    assert lab.arrived(B, "other-rules")
    again = lab.held(lab.a, PARTNER)
    assert again["quarantined"] and not [m for m in lab.servers[PARTNER].mails if b"end-of-rules" in m.raw]


@pytest.mark.parametrize("lab", ["not-secure-email"], indirect=True)
def test_what_arrives_has_the_warning(lab):
    """Table 2, 009: delivered, with SYSTEM FAILURE in front of it."""
    lab.from_outside(f"x@{OUTSIDE}", [f"ann@{B}"], mail(f"x@{OUTSIDE}", [f"ann@{B}"], "end-of-rules"))
    got = lab.arrived(B, "end-of-rules")[0]
    assert header(got.raw, "X-Sealgate-Verdict") == "unverified; code=009"
    text, attached = lab.parts(got.raw)
    text = text_of(text)
    assert "SYSTEM FAILURE MESSAGE \u2013 A message has passed through the Secure Email rule set" in text
    assert "[Code: 009]" in text and "UNVERIFIED" not in text and b"Kia ora." in attached
    assert lab.notice(B, "SYSTEM FAILURE MESSAGE", "end-of-rules", to=f"postmaster@{B}")
