"""Mail both ways while the HSM's module hangs, and when a call into it never comes back: it waits in Postfix, sealed or
not yet sealed, and all of it arrives, once. Invariants 1 and 2 of the architecture. REQ-132"""
import os
import shutil
import tempfile

import pytest

from sealgate.layout import GROUP, HSM
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from test_faults_load import Busy, Load

REPLACE = 15


class Faulty(Busy):
    """On a module with faults (tests/unit/hsm/p11_faults.c)."""

    def __init__(self, folder, block):
        module = f"{folder}/p11-faults.so"
        super().__init__(folder, block, settings={"hsmd": {
            "pkcs11.module": module, "hsmd.answer_timeout": "2s", "pkcs11.replace": f"{REPLACE}s"}})
        os.chmod(folder, 0o755)
        shutil.copy(self.platform.build / "tests/p11-faults.so", module)
        self.faults = self.platform.layout.dir / "faults/fault"
        self.faults.parent.mkdir(mode=0o755, parents=True)
        os.chown(self.faults.parent, HSM, GROUP)
        self.platform.hsmd.env["SG_FAULT_FILE"] = str(self.faults)

    def fault(self, name):
        """Strikes with the next call."""
        hung = self.faults.with_name("fault.hung")
        hung.unlink(missing_ok=True)
        temporary = self.faults.with_name("new")
        temporary.write_text(name, encoding="ascii")
        temporary.rename(self.faults)
        wait_for(hung.exists, 60, "a call that hangs")

    def reasons(self):
        return [recipient.get("delay_reason", "") for entry in self.queued() for recipient in entry["recipients"]]


@pytest.fixture(scope="module")
def faulty():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgh", dir="/var/tmp") as folder:
        s = Faulty(folder, block)
        try:
            yield s.start()
        finally:
            s.faults.unlink(missing_ok=True)
            s.stop()


@pytest.mark.parametrize("how", ["hang", pytest.param("never", marks=pytest.mark.long)])
def test_mail_while_the_module_hangs(faulty, how):
    hsmd = faulty.platform.hsmd
    pid = hsmd.pid()
    with Load(faulty, f"module-{how}") as load:
        load.more(8)
        faulty.fault(f"{how} all")
        load.stands_still()
        wait_for(lambda: any("451 4.3.0" in reason for reason in faulty.reasons()), 60, "mail that is put off", 0.2)
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
