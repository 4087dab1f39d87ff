"""From a billing system's order to sealed mail, and a year of it, without a hand: REQ-7 REQ-8 REQ-51
REQ-135 REQ-162 REQ-174.

The DNS is knot, the CA refca over EST, the directory slapd; the clock of the daemons and of the CA is
moved. What an administrator of the scheme does, putting a domain on the accredited list, the test does."""
import datetime
import random
import smtplib
import tempfile
import threading
import time

import pytest

from sealgate import provision
from sealgate.layout import GROUP, TENANT
from sealgate.mailserver import MailServer
from sealgate.platform import Platform
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import header, simple

DAY, STEP, YEAR = 86400, 28, 400
SETTINGS = {"tenantd": {"jobs.poll": "200ms", "jobs.workers": "4", "ownership.first_pause": "200ms",
                        "ownership.longest_pause": "1s", "authorities.retry": "100ms",
                        "authorities.retry_most": "1s"},
            "gatewayd": {"hold.retry_first": "1s", "hold.retry_most": "2s"}}


class World:
    """A platform on which nothing is attested, and a mail server for all its customers."""

    def __init__(self, folder, block):
        self.platform = Platform(folder, block.base, dns=True, clock=True, settings=SETTINGS)
        self.inbox = MailServer(self.platform.port["agency_a"], f"{folder}/mail/customers")
        self.networks = iter(f"127.0.{i // 200 + 4}.{i % 200 + 1}" for i in range(1000))
        self.began = time.monotonic()

    def start(self):
        self.platform.up()
        self.inbox.start()
        drop = self.platform.layout.run / "token"
        provision.run([self.platform.layout.bin / "tenantd", "token", "-c",
                       self.platform.layout.etc / "tenantd.conf", "--role", "provider-admin",
                       "--name", "years", "--days", "3650", "--out", drop], TENANT, GROUP)
        self.platform.api.token = drop.read_text("ascii").strip()
        self.api = self.platform.api
        provision.authority(self.platform, is_default=True, key_algorithm="ec-p256")
        return self

    def stop(self):
        self.inbox.stop()
        killed = self.platform.down()
        assert self.platform.sanitizer_reports() == [] and killed == []

    def order(self, name, **more):
        source = next(self.networks)
        made = self.platform.organisation(name, f"{name}.test", network=f"{source}/32",
                                          next_hop_port=self.platform.port["agency_a"])
        made.source = source
        return made.order(**more)

    def send(self, site, to, subject):
        with smtplib.SMTP("127.0.0.1", self.platform.port["postfix_out"], "customer.test",
                          timeout=60, source_address=(site.source, 0)) as smtp:
            sender, recipient = f"joe@{site.domain_name}", f"ann@{to.domain_name}"
            smtp.sendmail(sender, [recipient], simple(sender, [recipient], subject))

    def arrived(self, subject, timeout=60):
        field = f"\r\nSubject: {subject}\r\n".encode()
        mail, = self.inbox.wait(1, timeout, lambda m: field in b"\r\n" + m.head + b"\r\n")
        return mail

    def sql(self, query):
        return self.platform.postgresql.rows(query)


@pytest.fixture(scope="module")
def world():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgy", dir="/var/tmp") as folder:
        made = World(folder, block)
        try:
            yield made.start()
        finally:
            made.stop()


def test_from_the_order_to_the_first_sealed_mail(world):
    """The time line is printed; nothing but the order, the TXT record and the list is done by hand."""
    partner = world.order("partner")
    begun, lines = time.monotonic(), []

    def say(text):
        lines.append(f"{time.monotonic() - begun:6.2f} s  {text}")

    site = world.order("first", say=say)
    world.send(site, partner, "first-mail")
    say("first mail handed in")
    mail = world.arrived("first-mail")
    say("arrived, opened and verified")
    print("\n" + "\n".join(lines))
    assert header(mail.raw, "X-Sealgate-Verdict").startswith("verified")
    domain = world.api.get(site.domain_path)
    assert domain["state"] == "verified"
    # Who did what is in the audit log: the order is the token's, the rest tenantd's.
    actors = {entry["object"]: entry["actor"] for entry in world.api.list(f"{site.path}/audit")}
    assert actors["tenant"].startswith("token:") and actors["certificate"] == "tenantd"
    assert time.monotonic() - begun < 60


class Flow(threading.Thread):
    """Mail between customers at random, one after the other, until end(). moved() is a pause without any
    mail on its way: a year would pass over it in an instant."""

    def __init__(self, world, sites):
        super().__init__()
        self.world, self.sites, self.rng = world, sites, random.Random(7)
        self.ended, self.turn, self.sent, self.error = threading.Event(), threading.Lock(), [], None

    def run(self):
        try:
            while not self.ended.is_set():
                with self.turn:
                    sender, recipient = self.rng.sample(self.sites, 2)
                    subject = f"flow-{len(self.sent)}"
                    self.world.send(sender, recipient, subject)
                    self.sent.append(subject)
                    self.world.arrived(subject)
                self.ended.wait(0.05)
        except Exception as error:  # told in end()
            self.error = error

    def end(self):
        self.ended.set()
        self.join()
        assert self.error is None, self.error


def test_many_domains_and_a_year(world, request):
    """A hundred of them with --long: ordered at once, renewed while the clock runs through thirteen months and mail flows, one of
    them compromised at the end: no mail lost, none unverified, no certificate without its successor."""
    count = 100 if request.config.getoption("--long") else 15
    begun = time.monotonic()
    sites = [world.order(f"c{i}", wait=False) for i in range(count)]
    ordered = time.monotonic()
    wait_for(lambda: world.sql("SELECT count(*) FROM certificate WHERE state = 'active' AND "
                               "domain_id IN (SELECT id FROM domain WHERE name LIKE 'c%.test')")
             == [[str(count)]], 240, f"{count} certificates", 0.2)
    certified = time.monotonic()
    world.platform.refca.list_add("SEEMAIL2", *(site.domain_name for site in sites))
    world.api.post("/v1/lists/sync")
    wait_for(lambda: world.sql("SELECT count(*) FROM member_domain WHERE name LIKE 'c%.test'")
             == [[str(count)]], 60, "the list")
    print(f"\n{count} domains: ordered in {ordered - begun:.1f} s, proved and certified after "
          f"{certified - begun:.1f} s")

    flow = Flow(world, sites)
    flow.start()
    now = datetime.datetime.now(datetime.timezone.utc)
    for day in range(STEP, YEAR, STEP):
        with flow.turn:
            world.platform.clock_set(day * DAY)
            world.platform.refca.run("crl", "--hours", str((STEP + 7) * 24))
        since = (now + datetime.timedelta(days=day)).strftime("%Y-%m-%d %H:%M:%S+00")
        wait_for(lambda at=since: flow.error or world.sql(
            "SELECT (SELECT count(*) > 0 FROM job WHERE kind = 'certificate.sweep' AND state = 'done'"
            f" AND created_at >= '{at}'), (SELECT count(*) FROM job WHERE kind LIKE 'certificate%'"
            " AND state IN ('queued', 'running'))") == [["t", "0"]], 120, f"day {day}", 0.2)
        mails = len(flow.sent)
        wait_for(lambda n=mails: flow.error or len(flow.sent) > n + 1, 60, "mail to flow")
    rows = world.sql("SELECT d.name, count(*), count(*) FILTER (WHERE c.state = 'active') FROM "
                     "certificate c JOIN domain d ON d.id = c.domain_id WHERE d.name LIKE 'c%.test' "
                     "GROUP BY 1")
    assert len(rows) == count and all(int(n) >= 2 and active == "1" for _, n, active in rows), rows

    site = sites[0]
    called = time.monotonic()
    made = world.api.post(f"{site.domain_path}/compromise", {"reason": "a disk was lost"})
    path = f"{site.domain_path}/compromises/{made['id']}"
    wait_for(lambda: world.api.get(path)["state"] == "done", 120, "the compromise")
    done = time.monotonic()
    flow.end()
    world.send(site, sites[1], "with-the-new-key")
    assert header(world.arrived("with-the-new-key").raw, "X-Sealgate-Verdict").startswith("verified")
    print(f"a year of {count} domains: {done - certified:.1f} s, {len(flow.sent)} mails; "
          f"a compromise: {done - called:.2f} s")
    received = [header(mail.raw, "Subject") for mail in world.inbox.mails]
    assert sorted(s for s in received if s.startswith("flow-")) == sorted(flow.sent)
    # Who wrote to the compromised domain meanwhile may have sealed to the old certificate.
    unverified = [header(mail.raw, "Subject") for mail in world.inbox.mails
                  if not header(mail.raw, "X-Sealgate-Verdict").startswith("verified")
                  and f"ann@{site.domain_name}".encode() not in mail.head]
    assert unverified == []
    assert world.api.list("/v1/incidents", kind="certificate.expiring") == []
