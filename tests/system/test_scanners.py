"""REQ-9: virus scanners and content filters go on as before, for they see what they always saw: mail in clear,
on the customer's side of the gateway. Here the scanner is another Postfix that refuses a word in a body."""
import os
import pathlib
import smtplib
import subprocess
import tempfile

import pytest

from sealgate.layout import user_id
from sealgate.mailserver import MailServer
from sealgate.platform import Platform
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from sealgate.submit import submit
from setting import A, B, FROM_A, header, simple

VIRUS = "EICAR-TEST-WORD"

MAIN = """compatibility_level = 3.6
queue_directory = {dir}/spool
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
meta_directory = /etc/postfix
shlib_directory = /usr/lib/postfix
maillog_file = {dir}/log
maillog_file_prefixes = /var
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = {name}.test
mydestination =
alias_maps =
local_recipient_maps =
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{to}
smtp_bind_address = {source}
smtp_dns_support_level = disabled
smtp_tls_security_level = none
smtp_line_length_limit = 0
disable_mime_output_conversion = yes
local_header_rewrite_clients =
body_checks = regexp:{{ {{ /{virus}/ REJECT 5.7.1 a virus }} }}
"""
MASTER = """127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Scanner:
    """Takes mail on a port, looks into it, and sends it on to another."""

    def __init__(self, folder, name, port, to, source=""):
        self.dir, self.port = pathlib.Path(folder) / name, port
        self.config = {"dir": self.dir, "name": name, "port": port, "to": to, "source": source, "virus": VIRUS}

    def start(self):
        postfix = user_id("postfix")[0]
        for folder in (self.dir, self.dir / "etc", self.dir / "spool", self.dir / "data"):
            folder.mkdir(mode=0o755)
        os.chown(self.dir / "data", postfix, 0)
        (self.dir / "etc/main.cf").write_text(MAIN.format(**self.config), encoding="ascii")
        (self.dir / "etc/master.cf").write_text(MASTER.format(**self.config), encoding="ascii")
        self.run("start")
        wait_for(self.greets, 20, "the scanner")
        return self

    def run(self, what):
        subprocess.run(["/usr/sbin/postfix", "-c", self.dir / "etc", what], check=True, capture_output=True, cwd="/",
                       env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, stdin=subprocess.DEVNULL, timeout=60)

    def greets(self):
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=5) as smtp:
                return smtp.noop()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False


class World:
    """A hands its mail to a scanner, which hands it to Postfix "out"; B's next hop is a scanner."""

    def __init__(self, folder, block):
        self.platform = Platform(folder, block.base)
        port = self.platform.port
        self.leaving = Scanner(folder, "scan-a", block.base + 15, port["postfix_out"], FROM_A)
        self.coming = Scanner(folder, "scan-b", block.base + 16, port["agency_b"])
        self.a = MailServer(port["agency_a"], f"{folder}/mail/a")
        self.b = MailServer(port["agency_b"], f"{folder}/mail/b")

    def start(self):
        self.platform.up()
        for part in (self.leaving, self.coming, self.a, self.b):
            part.start()
        organisation = self.platform.organisation
        organisation("Agency A", A, network=f"{FROM_A}/32", next_hop_port=self.a.port).provision()
        organisation("Agency B", B, next_hop_port=self.coming.port).provision()
        return self

    def stop(self):
        for scanner in (self.leaving, self.coming):
            if (scanner.dir / "spool/pid/master.pid").exists():
                scanner.run("stop")
        self.a.stop(), self.b.stop()
        assert self.platform.down() == []
        assert self.platform.sanitizer_reports() == []


@pytest.fixture(scope="module")
def world():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgw", dir="/var/tmp") as folder:
        w = World(folder, block)
        try:
            yield w.start()
        finally:
            w.stop()


def mail(subject, body):
    return simple(f"joe@{A}", [f"ann@{B}"], subject, body)


def test_both_scanners_see_it_in_clear_and_it_arrives(world):
    """Sealed between the two, and between the gateway's own parts; untouched at its end."""
    with smtplib.SMTP("127.0.0.1", world.leaving.port, timeout=60) as smtp:
        smtp.sendmail(f"joe@{A}", [f"ann@{B}"], mail("clean", "Kia ora.\r\n"))
    got, = world.b.wait(1, 60, lambda m: b"Subject: clean" in m.raw)
    assert got.body == b"Kia ora.\r\n"
    assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={A}"
    received = got.head.decode()
    assert received.index("by scan-b.test") < received.index("by scan-a.test")


def test_a_virus_does_not_get_into_the_gateway(world):
    with smtplib.SMTP("127.0.0.1", world.leaving.port, timeout=60) as smtp:
        with pytest.raises(smtplib.SMTPDataError, match="a virus"):
            smtp.sendmail(f"joe@{A}", [f"ann@{B}"], mail("virus-out", f"{VIRUS}\r\n"))


def test_a_virus_that_came_sealed_is_refused_behind_the_gateway(world):
    """What no scanner on the way could see the customer's does; the sender is told, without its content."""
    submit(world.platform.port["postfix_out"], f"joe@{A}", [f"ann@{B}"], mail("virus-in", f"{VIRUS}\r\n"), FROM_A)
    report, = world.a.wait(1, 60, lambda m: b"NON DELIVERY REPORT" in m.body and b"virus-in" in m.raw)
    assert b"Status: 5.7.1" in report.body and VIRUS.encode() not in report.raw
    assert not [m for m in world.b.mails if b"Subject: virus-in" in m.head]
