"""Mail of domains that are not proved, at every edge: REQ-135. What is queued or held when a domain is
suspended waits, and goes when it is back."""
import smtplib
import tempfile

import pytest

from sealgate.mailserver import MailServer
from sealgate.platform import Platform
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import FROM_A, FROM_B, simple

A, B, CLAIMED, PARTNER = "agency-a.test", "agency-b.test", "claimed.test", "partner.test"
SETTINGS = {"tenantd": {"jobs.poll": "100ms", "ownership.first_pause": "100ms",
                        "ownership.longest_pause": "300ms", "ownership.recheck": "1s",
                        "ownership.grace": "1s"},
            "gatewayd": {"hold.retry_first": "1s", "hold.retry_most": "1s"}}


class World:
    def __init__(self, folder, block):
        self.platform = Platform(folder, block.base, dns=True, settings=SETTINGS,
                                 routes={PARTNER: block.base + 12})
        self.servers = {domain: MailServer(self.platform.port[port], f"{folder}/mail/{domain}")
                        for domain, port in ((A, "agency_a"), (B, "agency_b"), (PARTNER, "outside"))}

    def start(self):
        self.platform.up()
        for server in self.servers.values():
            server.start()
        port, organisation = self.platform.port, self.platform.organisation
        self.a = organisation("Agency A", A, network=f"{FROM_A}/32",
                              next_hop_port=port["agency_a"]).provision()
        self.b = organisation("Agency B", B, network=f"{FROM_B}/32",
                              next_hop_port=port["agency_b"]).provision()
        self.record = f"_sealgate-challenge.{A}"
        self.value = self.platform.api.post(f"{self.a.domain_path}/verification")["challenge"]["value"]
        self.publish()
        return self

    def stop(self):
        for server in self.servers.values():
            server.stop()
        assert self.platform.down() == []

    def state(self, wanted):
        wait_for(lambda: self.platform.api.get(self.a.domain_path)["state"] == wanted, 30, wanted)

    def publish(self):
        self.platform.dns.set_txt(self.record, self.value)
        self.state("verified")

    def lose(self):
        self.platform.dns.remove(self.record)
        self.state("suspended")

    def _send(self, port, source, sender, to, subject):
        with smtplib.SMTP("127.0.0.1", self.platform.port[port], "x.test", timeout=60,
                          source_address=(source, 0)) as smtp:
            smtp.sendmail(sender, [to], simple(sender, [to], subject))

    def submit(self, subject, sender=f"joe@{A}", to=f"ann@{B}", source=FROM_A):
        self._send("postfix_out", source, sender, to, subject)

    def deliver(self, subject, to=f"joe@{A}"):
        self._send("postfix_in", "127.0.0.1", "x@world.test", to, subject)

    def arrived(self, domain, subject, timeout=60):
        field = f"\r\nSubject: {subject}".encode()
        return self.servers[domain].wait(1, timeout, lambda m: field in b"\r\n" + m.head)

    def queued(self, which):
        return getattr(self.platform, f"postfix_{which}").queue()


@pytest.fixture(scope="module")
def world():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgo", dir="/var/tmp") as folder:
        w = World(folder, block)
        try:
            yield w.start()
        finally:
            w.stop()


def refused(send):
    """The reply to RCPT or to DATA."""
    with pytest.raises(smtplib.SMTPException) as caught:
        send()
    error = caught.value
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        (code, text), = error.recipients.values()
    else:
        code, text = error.smtp_code, error.smtp_error
    return code, text.decode()


def test_verified_carries_mail(world):
    world.submit("proved-out")
    world.arrived(B, "proved-out")
    world.deliver("proved-in")
    world.arrived(A, "proved-in")


def test_what_is_not_proved_carries_none(world):
    """Pending, failed, revoked: Postfix "in" and the policy service refuse, as if it were not here."""
    api = world.platform.api
    row = api.post(f"{world.a.path}/domains", {"name": CLAIMED, "environment": "seemail"})
    path = f"{world.a.path}/domains/{row['id']}"
    for state in ("pending", "revoked"):
        assert api.get(path)["state"] == state
        code, text = refused(lambda: world.deliver("no", to=f"joe@{CLAIMED}"))
        assert code == 554 and "5.7.1" in text
        code, text = refused(lambda: world.submit("no", sender=f"joe@{CLAIMED}"))
        assert code == 550 and "not the submitting customer's" in text
        if state == "pending":
            api.post(f"{path}/revoke")


def test_suspended_waits(world):
    """At both edges 450; what is in the queues of both Postfix, or held, waits and goes when it is back."""
    servers = world.servers
    servers[A].answer("data", "450 4.2.0 busy")
    world.deliver("waits-in")
    wait_for(lambda: world.queued("in"), 30, "mail in the queue of Postfix in")
    world.lose()
    servers[A].accept_all()
    code, text = refused(lambda: world.deliver("new-in"))
    assert code == 450 and "suspended" in text
    code, text = refused(lambda: world.submit("new-out"))
    assert code == 450 and "suspended" in text
    # Another tenant's mail to it waits in Postfix "out".
    world.submit("from-b", sender=f"ann@{B}", to=f"joe@{A}", source=FROM_B)
    wait_for(lambda: any(m["queue_name"] == "deferred" for m in world.queued("out")), 30,
             "a peer's mail waits")
    reasons = " ".join(r.get("delay_reason", "") for m in world.queued("in") + world.queued("out")
                       for r in m["recipients"])
    assert "suspended" in reasons
    assert not [m for m in servers[A].mails if b"Subject: waits-in" in m.head]
    assert world.queued("in") and world.queued("out")
    world.publish()
    for subject in ("waits-in", "from-b"):
        world.arrived(A, subject)
    wait_for(lambda: not world.queued("in") and not world.queued("out"), 60, "empty queues")
    for subject in ("waits-in", "from-b"):
        assert len(world.arrived(A, subject)) == 1
    assert not [m for server in servers.values() for m in server.mails
                if b"Undelivered" in m.head or b"multipart/report" in m.head]


def test_accepted_and_then_suspended(world):
    """Taken by Postfix "out" while it was verified: gatewayd defers, and sends it when it is back."""
    world.platform.postfix_out.run("postconf", "-e", "defer_transports=gateway")
    world.platform.postfix_out.run("postfix", "reload")
    world.submit("between")
    world.lose()
    world.platform.postfix_out.run("postconf", "-e", "defer_transports=")
    world.platform.postfix_out.run("postfix", "reload")
    world.platform.postfix_out.run("postqueue", "-f")
    wait_for(lambda: any('"outbound.deferred"' in line and "the domain is suspended" in line for line
                         in world.platform.gatewayd.log.read_text().splitlines()), 30,
             "it is deferred")
    wait_for(lambda: [m["queue_name"] for m in world.queued("out")] == ["deferred"], 30, "it waits")
    world.publish()
    world.arrived(B, "between")


def test_held_and_then_suspended(world):
    """Held mail (REQ-56) of a suspended domain stays held."""
    api = world.platform.api
    api.post("/v1/member-domains", {"name": PARTNER, "environment": "seemail"})
    world.submit("held", to=f"bob@{PARTNER}")
    held, = wait_for(lambda: world.a.held(state="held"), 30, "held mail")
    world.lose()
    before = api.get(f"{world.a.path}/held/{held['id']}")["attempts"]
    wait_for(lambda: api.get(f"{world.a.path}/held/{held['id']}")["attempts"] > before + 1, 30,
             "it is tried while the domain is suspended")
    again = api.get(f"{world.a.path}/held/{held['id']}")
    assert again["state"] == "held" and "suspended" in again["last_error"]
    asked = ["domain-certificate-request@" + PARTNER]  # REQ-44, when it was held
    assert [m for m in world.servers[PARTNER].mails if m.recipients != asked] == []
    world.publish()
