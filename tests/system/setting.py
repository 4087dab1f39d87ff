"""Three organisations on one platform, somebody outside, and a tap in the wire: for tests of mail."""
import contextlib
import smtplib

import psycopg2

import corpus
from sealgate import kept
from sealgate.layout import PEER_HOST
from sealgate.mailserver import MailServer
from sealgate.platform import Platform
from sealgate.wiretap import WireTap

A, B, C, OUTSIDE = "agency-a.test", "agency-b.test", "agency-c.test", "outside.test"
FROM_A, FROM_B = "127.0.0.2", "127.0.0.3"


def simple(sender, recipients, subject, body="Kia ora.\r\n"):
    return (f"From: <{sender}>\r\nTo: {', '.join(recipients)}\r\nSubject: {subject}\r\n"
            f"Date: Mon, 23 Nov 2026 10:00:00 +1300\r\nMessage-ID: <{subject}@x.test>\r\n\r\n"
            f"{body}").encode()


def header(mail, name):
    for field in corpus.split(mail)[0]:
        key, _, value = field.partition(b":")
        if key.lower() == name.lower().encode():
            return value.strip().decode()
    return None


class Setting:
    """Three organisations, somebody outside, and a tap in the wire between the two Postfix."""

    copied = True  # False: all of it is made by the daemons that run now
    # A CA that is slow for want of CPU time is waited for: by the default, mail is held after 10 s, and looked at again
    # in a minute.
    PATIENT = {"certificates.crl_timeout": "40s"}
    KEYS = {A: {}, B: {"key_kind": "wrapped"}, C: {"key_kind": "wrapped", "algorithm": "rsa-3072"}}

    def __init__(self, folder, block, routes=None, *, settings=None, **more):
        settings = settings or {}
        self.platform = Platform(folder, block.base, tap=True,
                                 routes={"nocert.test": block.base + 12, **(routes or {})},
                                 settings={**settings, "gatewayd": {**self.PATIENT, **settings.get("gatewayd", {})}},
                                 **more)
        port = self.platform.port
        self.c_port = block.base + 15
        self.tap = WireTap(port["wiretap"], port["postfix_in"], to_host=PEER_HOST)
        self.servers = {A: MailServer(port["agency_a"], f"{folder}/mail/a"),
                        B: MailServer(port["agency_b"], f"{folder}/mail/b"),
                        C: MailServer(self.c_port, f"{folder}/mail/c"),
                        OUTSIDE: MailServer(port["outside"], f"{folder}/mail/outside")}

    def start(self):
        self.tap.start()
        if self.copied:
            kept.fill(self.platform, repr(self.KEYS), self.organisations)
        self.platform.up(copied=self.copied)
        for server in self.servers.values():
            server.start()
        self.a, self.b, self.c = self.organisations(self.platform)
        return self

    def organisations(self, platform):
        """The three; made where they are not there."""
        port, organisation = platform.port, platform.organisation
        return [one.known() or one.provision() for one in (
            organisation("Agency A", A, network=f"{FROM_A}/32", next_hop_port=port["agency_a"],
                         **self.KEYS[A]),
            organisation("Agency B", B, network=f"{FROM_B}/32", next_hop_port=port["agency_b"],
                         **self.KEYS[B]),
            organisation("Agency C", C, next_hop_port=self.c_port, environment="securemail",
                         **self.KEYS[C]))]

    def stop(self):
        for server in self.servers.values():
            server.stop()
        killed = self.platform.down()
        self.tap.stop()
        assert killed == [], f"had to be killed: {killed}"
        assert self.platform.sanitizer_reports() == []

    def submit(self, sender, recipients, message, source=FROM_A, options=(), rcpt_options=()):
        """To Postfix "out", as the customer's server does."""
        with smtplib.SMTP("127.0.0.1", self.platform.port["postfix_out"], "customer.test",
                          timeout=60, source_address=(source, 0)) as smtp:
            smtp.sendmail(sender, recipients, message, ["BODY=8BITMIME", *options],
                          list(rcpt_options))

    def from_outside(self, sender, recipients, message):
        """To Postfix "in", as the world does."""
        with smtplib.SMTP("127.0.0.1", self.platform.port["postfix_in"], "world.test",
                          timeout=60) as smtp:
            smtp.sendmail(sender, recipients, message, ["BODY=8BITMIME"])

    def arrived(self, domain, subject, count=1, timeout=60):
        field = b"\r\nSubject: " + subject.encode()
        return self.servers[domain].wait(count, timeout,
                                         lambda mail: field in b"\r\n" + mail.head)

    def on_wire(self, subject, count=1):
        field = b"\r\nSubject: " + subject.encode()
        return self.tap.wait(count, 60, lambda _, raw: field in raw)

    @contextlib.contextmanager
    def locked(self, table):
        """Nobody reads it meanwhile."""
        admin = (self.platform.layout.secrets / "postgres.admin").read_text(encoding="ascii").strip()
        with contextlib.closing(psycopg2.connect(self.platform.postgresql.conninfo, user="postgres", password=admin)) as other:
            with other.cursor() as cursor:
                cursor.execute(f"LOCK TABLE sealgate.{table} IN ACCESS EXCLUSIVE MODE")
                yield
