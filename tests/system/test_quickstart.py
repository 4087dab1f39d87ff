"""tools/quickstart as a newcomer runs it, with the build that is there."""
import os
import subprocess
import sys
import tempfile

import pytest

from conftest import ROOT
from sealgate import Platform, PortBlock


def quickstart(*arguments):
    """The part behind the installation and the build."""
    return subprocess.run([sys.executable, "-B", "-m", "sealgate.quickstart", *map(str, arguments)],
                          env={**os.environ, "PYTHONPATH": str(ROOT / "tests/system")},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
                          check=False)


@pytest.fixture(scope="module")
def place():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgq", dir="/var/tmp") as folder:
        yield folder, block.base
        if Platform(folder).running():
            Platform(folder, agencies=True, dns=True).down()


def test_twice_and_down(place):
    folder, base = place
    for attempt in (1, 2):
        result = quickstart("--dir", folder, "--port-base", base)
        assert result.returncode == 0, result.stdout + result.stderr
        for words in ("verified, the answer was DNSSEC secure", "issued by the CA over EST",
                      "application/pkcs7-mime", "on the wire between", "delivered to agency B",
                      "trace of msg_", f"http://127.0.0.1:{base + 5}"):
            assert words in result.stdout, (attempt, words)
        assert "  NO " not in result.stdout
    result = quickstart("--dir", folder, "--down")
    assert result.returncode == 0, result.stderr
    assert Platform(folder).strays() == {}
    assert quickstart("--dir", folder, "--down").returncode == 0


@pytest.mark.parametrize("arguments, words", [
    (["--dir", "/root/x"], "not under /root"),
    (["--dir", "/var/tmp/" + "x" * 60], "at most 60"),
    (["--dir", "/var/tmp/never-made", "--down"], "no Sealgate there"),
    (["--port-base", "80"], "1024 to 65000"),
])
def test_refuses_in_one_line(arguments, words):
    result = quickstart(*arguments)
    assert result.returncode == 2
    assert words in result.stderr and "Traceback" not in result.stderr
