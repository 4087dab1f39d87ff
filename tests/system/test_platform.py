"""The platform as a whole: comes up, carries a mail, comes up again on what is there, goes down and
leaves nothing behind. Also run with the daemons under sanitizers."""
import pathlib
import tempfile
import urllib.request

import pytest

from sealgate import MailServer, Platform, PortBlock, SetupError, WireTap
from sealgate.submit import submit
from sealgate.wire import leaks, sealed_payload

FROM_A = "127.0.0.101"
BODY = b"Nga mihi, the programme of Thursday follows.\r\nSecond line of it.\r\n"


def message(subject):
    return (f"From: <alice@agency-a.test>\r\nTo: <bob@agency-b.test>\r\nSubject: {subject}\r\n"
            f"Message-ID: <{subject}@agency-a.test>\r\n\r\n").encode() + BODY


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory(prefix="sgp", dir="/var/tmp") as path:
        yield path


@pytest.fixture(scope="module")
def block():
    with PortBlock() as ports:
        yield ports


def carry(platform, tap, inbox, subject):
    submit(platform.port["postfix_out"], "alice@agency-a.test", ["bob@agency-b.test"],
           message(subject), FROM_A)
    mail, = inbox.wait(match=lambda m: subject.encode() in m.head)
    assert mail.body == BODY
    (_, wire), = tap.wait(match=lambda _, raw: subject.encode() in raw)
    assert sealed_payload(wire)
    assert leaks(BODY, wire) == []


def fetch_export(platform):
    """Written by one daemon's user and read by another's (REQ-156)."""
    api = platform.api
    tenant = api.find("/v1/tenants", name="Agency A")
    path = f"/v1/tenants/{tenant['id']}/exports"
    made = api.post(path)
    api.job_done(tenant["id"], made["job"])
    at = f"{path}/{made['export']['id']}"
    request = urllib.request.Request(f"{api.url}{at}/content",
                                     headers={"Authorization": f"Bearer {api.token}"})
    with urllib.request.urlopen(request, timeout=30) as response:
        assert len(response.read()) == api.get(at)["size_bytes"] > 0
    for file in platform.layout.exports.iterdir():
        assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.smoke
def test_up_mail_again_down(folder, block):
    """REQ-62: what goes from one member to another is sealed on the wire."""
    platform = Platform(folder, block.base, tap=True)
    port = platform.port
    inbox = MailServer(port["agency_b"], pathlib.Path(folder) / "mail/b")
    with WireTap(port["wiretap"], port["postfix_in"]) as tap, inbox:
        try:
            platform.up(copied=False)
            names = platform.running()
            assert {"postgresql", "hsmd", "tenantd", "apid", "gatewayd", "slapd", "refca",
                    "postfix-out", "postfix-in"} <= set(names)
            for organisation in (
                    platform.organisation("Agency A", "agency-a.test", network=f"{FROM_A}/32"),
                    platform.organisation("Agency B", "agency-b.test", key_kind="wrapped",
                                          next_hop_port=port["agency_b"])):
                organisation.provision()
            carry(platform, tap, inbox, "first")
            fetch_export(platform)
            before = {part.name: part.pid() for part in platform.parts}
            platform.up()
            assert {part.name: part.pid() for part in platform.parts} == before
            assert platform.down() == []
            assert platform.running() == [] and platform.strays() == {}
            platform.up()
            carry(platform, tap, inbox, "second")
        finally:
            killed = platform.down()
    assert killed == []
    assert platform.strays() == {}
    assert platform.sanitizer_reports() == []


def test_what_cannot_be_a_directory():
    for path, why in (("/var/tmp/" + "x" * 60, "at most 60"), ("/root/x", "not under /root"),
                      ("/var/tmp/a b", "letters")):
        with pytest.raises(SetupError, match=why):
            Platform(path).layout.check()
