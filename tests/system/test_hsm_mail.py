"""Mail both ways while the HSM's module hangs, and when a call into it never comes back: it waits in Postfix, sealed or
not yet sealed, and all of it arrives, once. Invariants 1 and 2 of the architecture. REQ-132"""
import tempfile

import pytest

from sealgate.ports import PortBlock
from sealgate.process import wait_for
from test_faults_load import Faulty, Load

REPLACE = 15


@pytest.fixture(scope="module")
def faulty():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgh", dir="/var/tmp") as folder:
        s = Faulty(folder, block, settings={"hsmd": {"hsmd.answer_timeout": "2s", "pkcs11.replace": f"{REPLACE}s"}})
        try:
            yield s.start()
        finally:
            s.stop()


def reasons(setting):
    return [recipient.get("delay_reason", "") for entry in setting.queued() for recipient in entry["recipients"]]


@pytest.mark.parametrize("how", ["hang", pytest.param("never", marks=pytest.mark.long)])
def test_mail_while_the_module_hangs(faulty, how):
    hsmd = faulty.platform.hsmd
    pid = hsmd.pid()
    with Load(faulty, f"module-{how}") as load:
        load.more(8)
        faulty.fault(f"{how} all")
        load.stands_still()
        wait_for(lambda: any("451 4.3.0" in reason for reason in reasons(faulty)), 60, "mail that is put off", 0.2)
        if how == "never":  # the test is hsmd's supervisor
            wait_for(lambda: hsmd.pid() is None, REPLACE + 30, "hsmd to end")
            faulty.faults.unlink()
            hsmd.start()
        else:
            assert hsmd.pid() == pid
            faulty.faults.unlink()
        recovered = load.more(8, 120)
    load.account()
    print(f"\n{how}: {len(load.accepted)} accepted, {load.refused} refused, next eight after {recovered:.1f} s")
