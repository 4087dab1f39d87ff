"""docs/api/getting-started.md, walked through with curl as it stands: REQ-7 REQ-51 REQ-135.
Only its first block, which says where things are, is replaced."""
import re
import subprocess
import tempfile

import pytest

from sealgate import provision
from sealgate.layout import ROOT
from sealgate.ports import PortBlock
from setting import A, B, FROM_B, Setting, header

NEW, FROM_NEW = "agency-new.test", "127.0.0.9"
PAGE = ROOT / "docs/api/getting-started.md"


class OpenSetting(Setting):
    """As the others, with a DNS; nothing is attested for the newcomer."""

    def __init__(self, folder, block):
        super().__init__(folder, block)
        from sealgate.platform import Platform
        self.platform = Platform(folder, block.base, tap=True, dns=True, settings={
            "tenantd": {"jobs.poll": "200ms", "ownership.first_pause": "200ms"}})


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgg", dir="/var/tmp") as folder:
        s = OpenSetting(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


def blocks():
    return re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.M | re.S)


def test_the_page_works_as_it_stands(setting, tmp_path):
    platform = setting.platform
    known = provision.authority(platform)
    platform.api.delete(f"/v1/authorities/{known['id']}")
    challenge = tmp_path / "challenge"
    first = f"""
API={platform.api.url} TOKEN={platform.api.token} PROVIDER_TOKEN={platform.api.token}
DOMAIN={NEW} NETWORK={FROM_NEW}/32 HOST=127.0.0.1 PORT={platform.port["agency_a"]}
SMTP=smtp://127.0.0.1:{platform.port["postfix_out"]} PARTNER=ann@{B} CURL_FROM='--interface {FROM_NEW}'
EST={platform.refca.est_url} EST_CA={platform.refca.ca_file}
ACCOUNT={platform.refca.account} CREDENTIAL={platform.refca.password_file.stem}
publish_txt() {{ echo "$1 $2" > {challenge}; until [ -e {challenge}.done ]; do sleep 0.1; done; }}
"""
    script = "set -eu\n" + first + "".join(blocks()[1:])
    (tmp_path / "script").write_text(script)
    with open(tmp_path / "out", "w+") as out:
        run = subprocess.Popen(["bash", tmp_path / "script"], cwd=tmp_path, stdout=out, stderr=subprocess.STDOUT)
        try:
            while run.poll() is None and not challenge.exists():
                try:
                    run.wait(0.1)
                except subprocess.TimeoutExpired:
                    pass
            assert challenge.exists(), (tmp_path / "out").read_text()
            name, value = challenge.read_text().split(maxsplit=1)
            platform.dns.set_txt(name, value.strip())
            (tmp_path / "challenge.done").touch()
            run.wait(120)
        finally:
            run.kill()
        said = (tmp_path / "out").read_text()
    assert run.returncode == 0, said
    assert f"ann@{B}: delivered, sealed" in said and "valid until 20" in said and "sealed" in said
    got, = setting.arrived(B, "first")
    assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={NEW}" and b"Kia ora." in got.raw
    (_, wire), = setting.on_wire("first")
    assert "application/pkcs7-mime" in header(wire, "Content-Type") and b"Kia ora." not in wire
