"""REQ-125, 172: secure mail does not leave the national network. gatewayd connects to next hops in the egress
networks alone, Postfix "out" sends what is sealed by a transport that sees no other address, and nftables
stands behind it. What would leave waits. Here 127.9.0.0/16 is abroad."""
import smtplib
import socket
import struct
import subprocess
import tempfile
import textwrap
import threading

import pytest

from partners import Partner
from sealgate import layout as lay
from sealgate import template
from sealgate.api import Problem
from sealgate.mailserver import MailServer
from sealgate.platform import Platform
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from sealgate.submit import submit
from setting import A, B, FROM_A, simple

INSIDE = ["127.0.0.0/16", "2001:db8::/32"]
HERE, ABROAD = "127.0.5.1", "127.9.9.9"
A_RECORD, MX_RECORD = 1, 15


class Resolver(threading.Thread):
    """A DNS server that knows records = {(name, type): [value]}: an address, or a name that MX names."""

    def __init__(self, host, records):
        super().__init__(daemon=True)
        self.records = records
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 53))

    @staticmethod
    def name(text):
        return b"".join(bytes([len(p)]) + p.encode() for p in text.split(".")) + b"\0"

    def answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode().lower())
            at += 1 + question[at]
        name, kind = ".".join(labels), struct.unpack(">H", question[at + 1:at + 3])[0]
        found = self.records.get((name, kind), [])
        known = any(n == name for n, _ in self.records)
        text = question[:2] + struct.pack(">HHHHH", 0x8580 if known else 0x8583, 1, len(found), 0, 0)
        text += question[12:at + 5]
        for value in found:
            data = socket.inet_aton(value) if kind == A_RECORD else b"\0\n" + self.name(value)
            text += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
        return text

    def run(self):
        while True:
            try:
                question, client = self.socket.recvfrom(4096)
                self.socket.sendto(self.answer(question), client)
            except OSError:
                return


class World:
    def __init__(self, folder, block):
        self.port = block.base + 15
        number = (block.base // 20) % 60000
        self.resolver_host = f"127.53.{number // 250 + 1}.{number % 250 + 1}"
        self.records = {}
        for domain, addresses in (("home.test", [HERE]), ("abroad.test", [ABROAD]), ("both.test", [ABROAD, HERE]),
                                  ("plain.test", [ABROAD])):
            self.records[domain, MX_RECORD] = [f"mx.{domain}"]
            self.records[f"mx.{domain}", A_RECORD] = addresses
        self.records["direct.test", A_RECORD] = [ABROAD]  # without MX
        self.records["numeric.test", MX_RECORD] = [ABROAD]  # no name, which RFC 5321 section 5.1 wants: no A record is asked for
        self.records["hex.test", MX_RECORD] = ["0x7f.9.0x909"]
        self.resolver = Resolver(self.resolver_host, self.records)
        self.platform = Platform(folder, block.base, postfix_values={
            "dns": "enabled", "default_transport": "smtp", "smtp_chroot": "y"})
        self.folder = folder
        self.here = MailServer(self.port, f"{folder}/mail/here", host=HERE)
        self.abroad = MailServer(self.port, f"{folder}/mail/abroad", host=ABROAD)

    def start(self):
        self.resolver.start()
        self.here.start(), self.abroad.start()
        p = self.platform
        p.up()
        p.egress(INSIDE)
        etc = p.postfix_out.dir / "spool/etc"
        etc.mkdir()
        (etc / "resolv.conf").write_text(f"nameserver {self.resolver_host}\n", encoding="ascii")
        p.postfix_out.run("postconf", "-e", f"smtp_tcp_port={self.port}")
        p.postfix_out.run("postfix", "reload")
        self.a = p.organisation("Agency A", A, network=f"{FROM_A}/32", next_hop_port=p.port["agency_a"]).provision()
        self.b = p.organisation("Agency B", B, next_hop_port=self.port).provision()
        self.route(HERE)
        for domain in ("home.test", "abroad.test", "both.test", "direct.test", "numeric.test", "hex.test"):
            Partner(p, domain).put()
        return self

    def stop(self):
        self.here.stop(), self.abroad.stop()
        self.resolver.socket.close()
        assert self.platform.down() == []
        assert self.platform.sanitizer_reports() == []

    def networks(self, networks):
        """As an operator does it: the API, then Postfix's table, then a reload."""
        self.platform.egress(networks)
        self.platform.postfix_out.run("postfix", "reload")

    def route(self, host):
        """Where B's mail is delivered."""
        self.platform.api.put(f"{self.b.domain_path}/next-hop", {
            "protocol": "smtp", "host": host, "port": self.port, "tls": "none", "ca_pem": ""})

    def send(self, domain, subject):
        submit(self.platform.port["postfix_out"], f"joe@{A}", [f"ann@{domain}"],
               simple(f"joe@{A}", [f"ann@{domain}"], subject), FROM_A)

    def after_flushing(self, postfix, server, subject):
        """The mails of that subject that arrive there."""
        return postfix.flush_until(lambda: [m for m in server.mails if named(subject)(m)], 60, subject)

    def from_outside(self, domain, subject):
        with smtplib.SMTP("127.0.0.1", self.platform.port["postfix_in"], "world.test", timeout=60) as smtp:
            smtp.sendmail("x@outside.test", [f"ann@{domain}"], simple("x@outside.test", [f"ann@{domain}"], subject))


@pytest.fixture(scope="module")
def world():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sge", dir="/var/tmp") as folder:
        w = World(folder, block)
        try:
            yield w.start()
        finally:
            w.stop()


def named(subject):
    return lambda m: f"Subject: {subject}\r\n".encode() in m.raw


def waits(postfix, recipient):
    """Why a mail is in the queue."""
    return next((r["delay_reason"] for m in postfix.queue() for r in m["recipients"]
                 if r["address"] == recipient and "delay_reason" in r), None)


def sealed(mail):
    return b"application/pkcs7-mime" in mail.raw and b"Kia ora" not in mail.raw


@pytest.mark.parametrize("domain", ["abroad.test", "direct.test"])
def test_sealed_mail_whose_server_is_abroad_waits(world, domain):
    """REQ-125: Postfix finds no address for it, connects to nobody, and says why."""
    out, subject, recipient = world.platform.postfix_out, f"sealed-{domain}", f"ann@{domain}"
    world.send(domain, subject)
    reason = wait_for(lambda: waits(out, recipient), 60, "the deferral")
    assert "filter" in reason.lower(), reason
    out.flush()
    assert not any(map(named(subject), world.abroad.mails))
    world.networks([*INSIDE, "127.9.0.0/16"])
    try:
        mail, = world.after_flushing(out, world.abroad, subject)
        assert sealed(mail)
    finally:
        world.networks(INSIDE)


@pytest.mark.parametrize("domain", ["numeric.test", "hex.test"])
def test_sealed_mail_whose_server_has_a_number_for_a_name_waits(world, domain):
    """REQ-125: Postfix takes the number for the address, which no filter of addresses sees then."""
    out, subject, recipient = world.platform.postfix_out, f"sealed-{domain}", f"ann@{domain}"
    world.send(domain, subject)
    reason = wait_for(lambda: waits(out, recipient) or any(map(named(subject), world.abroad.mails)), 60, "the deferral")
    assert "filter" in str(reason).lower(), reason


def test_sealed_mail_does_not_leave_from_another_address(world):
    """REQ-125: nftables knows it by its source. An address that this host has lost is not made up for by another."""
    out = world.platform.postfix_out
    out.run("postconf", "-P", "sealed/unix/smtp_bind_address=192.0.2.3")
    out.run("postfix", "reload")
    try:
        world.send("home.test", "unbound")
        reason = wait_for(lambda: waits(out, "ann@home.test") or any(map(named("unbound"), world.here.mails)), 60,
                          "the deferral")
        assert reason == "server configuration error"
        assert "bind 192.0.2.3: Cannot assign requested address" in out.log.read_text()
    finally:
        out.run("postconf", "-P", "sealed/unix/smtp_bind_address=")
        out.run("postfix", "reload")
    world.after_flushing(out, world.here, "unbound")


def test_sealed_mail_whose_server_is_here_goes(world):
    world.send("home.test", "sealed-home")
    mail, = world.here.wait(1, 60, named("sealed-home"))
    assert sealed(mail)


def test_of_two_servers_the_one_abroad_is_not_asked(world):
    before = len(world.abroad.log)
    for i in range(4):
        world.send("both.test", f"sealed-both-{i}")
    for i in range(4):
        world.here.wait(1, 60, named(f"sealed-both-{i}"))
    assert len(world.abroad.log) == before


def test_plain_mail_goes_abroad(world):
    """What is no secure mail is nobody's business here."""
    world.send("plain.test", "plain-abroad")
    mail, = world.abroad.wait(1, 60, named("plain-abroad"))
    assert b"Kia ora" in mail.raw


def test_without_its_table_nothing_sealed_leaves(world):
    table = world.platform.layout.etc / "egress.cidr"
    kept = table.with_suffix(".kept")
    out = world.platform.postfix_out
    table.rename(kept)
    try:
        world.platform.postfix_out.run("postfix", "reload")
        world.send("home.test", "no-table")
        wait_for(lambda: waits(out, "ann@home.test"), 60, "the deferral")
        assert not any(map(named("no-table"), world.here.mails))
    finally:
        kept.rename(table)
    out.run("postfix", "reload")
    world.after_flushing(out, world.here, "no-table")


def test_opened_mail_is_not_delivered_abroad(world):
    """REQ-125, 172: gatewayd looks where the next hop lies: it waits, sealed, and an incident says so. A
    connection that plain mail has made there does not help it."""
    p = world.platform
    world.route(ABROAD)
    world.from_outside(B, "plain-in")
    assert b"Kia ora" in world.abroad.wait(1, 60, named("plain-in"))[0].raw
    world.send(B, "opened-in")
    reason = wait_for(lambda: waits(p.postfix_in, f"ann@{B}"), 60, "the deferral")
    assert "451 4.7.1" in reason and "egress" in reason
    assert not any(map(named("opened-in"), world.abroad.mails))
    queued = p.postfix_in.message(p.postfix_in.queue()[0]["queue_id"])
    assert "Kia ora" not in queued and "pkcs7-mime" in queued
    row, = wait_for(lambda: world.b.messages(message_id="opened-in@x.test"), 20, "the retention log")
    step = wait_for(lambda: next((s for s in world.b.trace(row["id"]) if s["step"] == "egress"), None), 20, "trace")
    assert step["requirement"] == "REQ-125" and ABROAD in step["detail"]["to"]
    incident = p.api.find(f"{world.b.path}/incidents", kind="egress.outside")
    assert incident["severity"] == "critical" and ABROAD in incident["summary"]
    p.api.put("/v1/egress", {"networks": [*INSIDE, f"{ABROAD}/32"]})
    try:
        assert b"Kia ora" in world.after_flushing(p.postfix_in, world.abroad, "opened-in")[0].raw
    finally:
        p.api.put("/v1/egress", {"networks": INSIDE})
        world.route(HERE)
    world.send(B, "opened-here")
    world.here.wait(1, 60, named("opened-here"))


def test_the_set_is_kept_and_audited(world):
    api = world.platform.api
    try:
        assert api.put("/v1/egress", {"networks": ["192.0.2.0/24", "10.0.0.0/8", "192.0.2.0/24"]}) == {
            "networks": ["10.0.0.0/8", "192.0.2.0/24"]}
        for bad in ("192.0.2.1/24", "0.0.0.0/0", "::/0", "::ffff:192.0.2.0/120", "192.0.2.0/33", "somewhere"):
            with pytest.raises(Problem) as refused:
                api.put("/v1/egress", {"networks": ["10.0.0.0/8", bad]})
            assert refused.value.status == 422 and refused.value.body["pointer"] == "/networks/1", bad
        actions = [(row["action"], row["object_id"]) for row in api.list("/v1/audit")
                   if row["object"] == "egress_network"]
        assert ("insert", "192.0.2.0/24") in actions and ("delete", INSIDE[0]) in actions
    finally:
        api.put("/v1/egress", {"networks": INSIDE})


def gwctl(world, what):
    p = world.platform
    return subprocess.run([p.layout.bin / "gwctl", "egress", what, "--url", p.api.url, "--token-file",
                           p.layout.secrets / "provider-admin.token"],
                          check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("networks,record,filtered", [
    (INSIDE, "mx.test. 60 IN A 127.0.255.1", False), (INSIDE, "mx.test. 60 IN A 127.1.0.1", True),
    (INSIDE, "mx.test. 60 IN AAAA 2001:db8:ffff::1", False), (INSIDE, "mx.test. 60 IN AAAA 2001:db9::1", True),
    (INSIDE, "mx.test. 60 IN AAAA ::ffff:127.0.0.1", True), (INSIDE, "home.test. 60 IN MX 10 mx.test.", False),
    (INSIDE, "mx.test. 60 IN CNAME a.test.", False), ([], "mx.test. 60 IN A 203.0.113.1", False),
    ([], "mx.test. 60 IN AAAA 2001:db9::1", False),
    *((INSIDE, f"home.test. 60 IN MX 10 {number}.", True) for number in (
        "127.0.255.1", "203.0.113.5", "0xcb007105", "0XCB.0.0x7105", "203.0.0x7105", "2001:db8::1", "::ffff:203.0.113.5")),
    *((INSIDE, f"home.test. 60 IN MX 10 {name}.", False) for name in (
        "mx1.test", "1.mx.test", "10.20.30.40.test", "cafe.de", "0xcb.test", "xn--p1ai", "203-0-113-5.test", "")),
    ([], "home.test. 60 IN MX 10 203.0.113.5.", False),
])
def test_the_table_of_postfix(world, networks, record, filtered):
    world.platform.egress(networks)
    try:
        out = world.platform.postfix_out
        pattern = out.run("postconf", "-xh", "sealed_dns_reply_filter").strip().replace("$$", "$")
        found = out.command("postmap", "-q", record, pattern)
        assert found.stdout.strip() == ("IGNORE" if filtered else "") and found.stderr == ""
    finally:
        world.platform.egress(INSIDE)


def test_nftables_hold_what_postfix_would_send(world, tmp_path):
    """From the address of sealed mail nothing outside is connected to; before the sets are filled, nothing at
    all; other addresses are free."""
    rules, elements = tmp_path / "rules", tmp_path / "elements"
    rules.write_text(template.render("nftables/sealgate.nft.in",
                                     {"sealed_source": "192.0.2.3", "sealed_source6": "2001:db8::3"}))
    world.platform.egress(["198.51.100.0/24", "2001:db8:1::/48"])
    try:
        elements.write_text(gwctl(world, "nftables"))
    finally:
        world.platform.egress(INSIDE)
    script = tmp_path / "script"
    script.write_text(textwrap.dedent("""\
        import socket, subprocess, sys
        def run(*words):
            subprocess.run(words, check=True)
        run("ip", "link", "add", "wire", "type", "veth", "peer", "name", "far")
        for address in ("192.0.2.3/32", "192.0.2.4/32", "2001:db8::3/128", "2001:db8::4/128"):
            run("ip", "addr", "add", address, "dev", "wire", *(["nodad"] if ":" in address else []))
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "set", "far", "up")
        run("ip", "link", "set", "wire", "up")
        run("ip", "route", "add", "default", "dev", "wire")
        run("ip", "-6", "route", "add", "default", "dev", "wire")
        def refused(source, to):
            s = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET)
            s.bind((source, 0))
            s.settimeout(0.3)
            try:
                s.connect((to, 25))
            except ConnectionRefusedError:
                return True
            except OSError:
                return False  # nobody there: it was sent
        run("nft", "-f", sys.argv[1])
        print(refused("192.0.2.3", "198.51.100.9"))
        run("nft", "-f", sys.argv[2])
        for source in ("192.0.2.3", "192.0.2.4"):
            print(*(refused(source, to) for to in ("198.51.100.9", "203.0.113.9")))
        for source in ("2001:db8::3", "2001:db8::4"):
            print(*(refused(source, to) for to in ("2001:db8:1::9", "2001:db8:2::9")))
        """))
    done = subprocess.run(["unshare", "-n", "python3", script, rules, elements], capture_output=True, text=True,
                          check=False, timeout=60)
    assert done.stdout.splitlines() == ["True", "False True", "False False", "False True", "False False"], done.stderr


def test_templates_name_the_same_table():
    """What is shipped: the transport of sealed mail has the filter and the source, the other one neither."""
    master = (lay.ROOT / "deploy/postfix/out/master.cf.in").read_text()
    service = master[master.index("\nsealed unix"):].split("\n# ")[0]
    for setting in ("smtp_dns_reply_filter=$sealed_dns_reply_filter", "smtp_host_lookup=dns",
                    "smtp_bind_address=@sealed_source@", "smtp_bind_address6=@sealed_source6@",
                    "smtp_bind_address_enforce=yes"):
        assert setting in service
