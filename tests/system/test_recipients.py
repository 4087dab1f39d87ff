"""Recipients whom their own server does not know are refused while the sender is still there: Postfix "in"
asks gatewayd at RCPT, gatewayd asks the server. In doubt they are let in, and delivering decides."""
import itertools
import pathlib
import re
import smtplib
import socket
import tempfile
import threading
import time

import pytest

from sealgate.mailserver import CLOSE, HANG, MailServer
from sealgate.ops import Ops
from sealgate.platform import Platform
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from test_cert_hostile import Names

HARVESTER, CUSTOMER = "127.0.0.5", "127.0.0.6"
SENDER = "x@outside.test"
UNKNOWN = 8  # recipients that a client may find unknown


class World:
    def __init__(self, folder, block):
        self.folder, self.port = folder, block.base + 15
        self.numbers = itertools.count(1)
        self.platform = Platform(folder, block.base, clock=True, settings={"gatewayd": {
            "recipients.unknown": UNKNOWN, "recipients.pause": "20s", "log.level": "info"}})
        self.agencies = []

    def agency(self, protocol="smtp", tls="none"):
        """A domain with a server of its own."""
        agency = Agency(self, next(self.numbers), protocol, tls)
        self.agencies.append(agency)
        return agency

    def session(self, source):
        return smtplib.SMTP("127.0.0.1", self.platform.port["postfix_in"], "world.test", timeout=60,
                            source_address=(source, 0))

    def send(self, recipients, subject, source, sender=SENDER):
        """What was refused, by recipient."""
        with self.session(source) as smtp:
            try:
                return smtp.sendmail(sender, recipients, f"From: <{SENDER}>\r\nSubject: {subject}\r\n"
                                     f"\r\nKia ora.\r\n".encode())
            except smtplib.SMTPRecipientsRefused as refused:
                return refused.recipients

    def restart(self, before=(), connect_timeout="15s", **settings):
        gatewayd = self.platform.gatewayd
        gatewayd.before = before
        self.platform.settings["gatewayd"].update(
            {f"recipients.{name}": value for name, value in settings.items()})
        self.platform.settings["gatewayd"]["client.connect_timeout"] = connect_timeout
        self.platform._configure()
        gatewayd.stop()
        gatewayd.start()

    def questions(self):
        """{(answer, source): count} of gatewayd's metrics."""
        found = re.findall(r'recipient_questions_total{answer="(.*)",source="(.*)"} (\d+)',
                           Ops(self.platform.layout.ops("gatewayd")).metrics())
        return {(answer, source): int(count) for answer, source, count in found}


class Agency:
    def __init__(self, world, number, protocol, tls):
        self.world, self.domain, self.host = world, f"agency-{number}.test", f"127.0.1.{number}"
        self.correspondent = f"127.0.2.{number}"  # somebody in the world who writes to it
        self.server = MailServer(world.port, f"{world.folder}/mail/{number}", host=self.host).start()
        self.organisation = world.platform.organisation(f"Agency {number}", self.domain)
        self.organisation.configure()
        self.hop = {"protocol": protocol, "host": self.host, "port": world.port, "tls": tls, "ca_pem": ""}
        self.route()

    def route(self, **changed):
        self.world.platform.api.put(f"{self.organisation.domain_path}/next-hop", {**self.hop, **changed})

    def knows(self, *names):
        """Of local parts: it does not know any other."""
        self.server.answer("rcpt", "550 5.1.1 no, not in our house 4711")
        for name in names:
            self.server.answer("rcpt", None, to=self.address(name))

    def address(self, name):
        return f"{name}@{self.domain}"

    def asked(self):
        """How often its server was asked: nothing else comes with the null sender."""
        return sum(line.upper().startswith("MAIL FROM:<>") for line in self.server.log)

    def session(self):
        return self.world.session(self.correspondent)

    def send(self, name, subject, source=None):
        """The reply to RCPT, None where it was taken."""
        return self.world.send([self.address(name)], subject,
                               source or self.correspondent).get(self.address(name))

    def arrived(self, subject, timeout=60):
        return self.server.wait(1, timeout, lambda m: f"Subject: {subject}\r\n".encode() in m.raw)[0]


@pytest.fixture(scope="module")
def world():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgk", dir="/var/tmp") as folder:
        w = World(folder, block)
        with w.platform:
            try:
                yield w
            finally:
                for agency in w.agencies:
                    agency.server.stop()
                w.platform.clock_set(0)
        assert w.platform.sanitizer_reports() == []


def nothing_left(world):
    assert world.platform.postfix_in.queue() == []
    assert world.platform.postfix_out.queue() == []


def test_unknown_is_refused_at_rcpt_and_nothing_is_left(world):
    agency = world.agency()
    agency.knows("ann")
    code, text = agency.send("nobody", "for-nobody")
    assert code == 550 and text.startswith(b"5.1.1") and b"4711" not in text
    nothing_left(world)
    assert agency.organisation.messages() == []
    assert agency.server.mails == []
    for part in ("gatewayd", "postfix-out"):
        log = (world.platform.layout.log / f"{part}.log").read_text(errors="replace")
        assert "nobody@" not in log


def test_known_is_delivered_and_each_answer_has_its_time(world):
    """Both answers are remembered: a known one for an hour, an unknown one for five minutes."""
    agency = world.agency()
    agency.knows("ann", "Ann")
    try:
        for subject, seconds, asked in (("first", 0, 2), ("again", 0, 2), ("five-minutes", 290, 2),
                                        ("unknown-over", 310, 3), ("hour", 3590, 4),
                                        ("known-over", 3610, 5)):
            world.platform.clock_set(seconds)
            assert agency.send("ann", subject) is None
            assert agency.send("Ann" if subject == "again" else "ann", f"{subject}-2") is None
            assert agency.send("nobody", subject)[0] == 550
            assert agency.asked() == asked, subject
    finally:
        world.platform.clock_set(0)
    agency.arrived("known-over")
    answers = world.questions()
    assert answers["known", "remembered"] >= 9 and answers["unknown", "remembered"] >= 2


@pytest.mark.parametrize("stage,reply", [
    ("rcpt", "450 4.2.1 greylisted"), ("rcpt", "451 4.3.0 local trouble"), ("rcpt", "552 5.2.2 full"),
    ("rcpt", "550 5.7.1 not from you"), ("rcpt", "554 5.7.1 blocked"), ("rcpt", "421 4.3.2 going down"),
    ("rcpt", CLOSE), ("mail", CLOSE), ("mail", "550 5.7.1 no null senders here"), ("connect", CLOSE),
    ("connect", "554 5.7.1 go away"),
], ids=lambda v: v[:9].replace(" ", "-"))
def test_in_doubt_he_is_let_in(world, stage, reply):
    """Whatever is not "no such mailbox" is left to delivering, and is not remembered as a refusal."""
    agency = world.agency()
    agency.server.answer(stage, reply, times=1)
    assert agency.send("ann", "in-doubt") is None
    assert agency.arrived("in-doubt").sender == SENDER
    assert agency.send("ann", "in-doubt-2") is None


def test_server_away(world):
    agency = world.agency()
    agency.server.stop()
    assert agency.send("ann", "away") is None
    wait_for(lambda: any(m["queue_name"] == "deferred" for m in world.platform.postfix_in.queue()), 30,
             "the deferral")
    agency.server.start()
    agency.arrived("away")


def test_server_hangs_once(world):
    """The time for a question is lost once; then the server is left alone for a while."""
    agency = world.agency()
    agency.server.answer("rcpt", HANG, times=1)
    began = time.monotonic()
    assert agency.send("ann", "hangs") is None
    once = time.monotonic()
    assert 1.9 < once - began < 10
    with agency.session() as smtp:
        smtp.ehlo()
        smtp.mail(SENDER)
        for i in range(20):
            assert smtp.rcpt(agency.address(f"ann{i}"))[0] == 250
    assert time.monotonic() - once < 1.9
    assert agency.asked() == 1
    agency.arrived("hangs")


def test_the_dns_says_nothing_of_a_server(world):
    """The resolver waits for 20 s: a question and a delivery have their own times, and other servers' mail goes on."""
    agency, other = world.agency(), world.agency()
    agency.route(host="silent.test")
    with Names(pathlib.Path(world.folder), lambda _: None) as names:
        world.restart(before=names.before, connect_timeout="3s")
        began = time.monotonic()
        assert agency.send("ann", "silent") is None
        assert 1.9 < time.monotonic() - began < 10
        taken = time.monotonic()
        for i in range(20):
            assert agency.send(f"ann{i}", f"silent-{i}") is None
        assert other.send("bob", "heard") is None
        other.arrived("heard", timeout=15)
        wait_for(lambda: any(m["queue_name"] == "deferred" for m in world.platform.postfix_in.queue()), 15,
                 "the deferral")
        assert time.monotonic() - taken < 15
    world.restart()
    agency.route()
    for i in range(20):
        agency.arrived(f"silent-{i}")
    agency.arrived("silent")


def test_tarpit(world):
    """Every reply is in time, and all of them are not."""
    agency = world.agency()
    agency.server.stop()

    def crawl(client):
        with client:
            try:
                client.sendall(b"220 hi\r\n")
                while client.recv(1000):
                    time.sleep(0.8)  # is what it is: slow
                    client.sendall(b"250 ok\r\n")
            except OSError:
                pass

    def serve():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=crawl, args=(client,), daemon=True).start()

    listener = socket.create_server((agency.host, world.port))
    thread = threading.Thread(target=serve)
    thread.start()
    began = time.monotonic()
    assert agency.send("ann", "tarpit") is None
    assert time.monotonic() - began < 4
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    agency.server.start()
    agency.arrived("tarpit")


def test_many_recipients_of_one_mail(world):
    agency = world.agency()
    agency.server.answer("rcpt", "550 5.1.1 gone", to=agency.address("gone1"))
    agency.server.answer("rcpt", "550 gone", to=agency.address("gone2"))
    names = ["gone1", *(f"ann{i}" for i in range(100)), "gone2"]
    refused = world.send([agency.address(n) for n in names], "many", agency.correspondent)
    assert set(refused) == {agency.address("gone1"), agency.address("gone2")}
    assert len(agency.arrived("many").recipients) == 100


def test_catch_all(world):
    agency = world.agency()
    assert agency.send("whoever-it-may-be", "catch-all") is None
    agency.arrived("catch-all")


def test_some_are_never_asked_for(world):
    """RFC 5321 §4.5.1, RFC 2142, and the ping address; and whoever a bounce is for."""
    agency = world.agency()
    agency.knows()
    with agency.session() as smtp:
        smtp.ehlo()
        smtp.mail(SENDER)
        for name in ("postmaster", "Abuse", "secure-email-ping"):
            assert smtp.rcpt(agency.address(name))[0] == 250
        assert smtp.rcpt(agency.address("postmaster2"))[0] == 550
        smtp.rset()
        smtp.mail("")
        assert smtp.rcpt(agency.address("nobody"))[0] == 250
    assert agency.asked() == 1


@pytest.mark.parametrize("given,wire", [
    ("joe+tag", "joe+tag"), ('"joe bloggs"', '"joe bloggs"'), ('"joe"', "joe"),
    ('"q\\"q"', '"q\\"q"'), ("l" * 200, "l" * 200), ("māori", "māori"), ("o'brien", "o'brien"), ("Ann.Lee", "Ann.Lee"),
])
def test_unusual_addresses(world, given, wire):
    """The server is asked for the address that it would get, and each is one of its own."""
    agency = world.agency()
    utf8 = ["SMTPUTF8"] if not given.isascii() else []
    with agency.session() as smtp:
        smtp.ehlo()
        smtp.command_encoding = "utf-8"
        assert smtp.mail(SENDER, utf8)[0] == 250
        assert smtp.docmd("RCPT", f"TO:<{given}@{agency.domain}>")[0] == 250
    assert f"RCPT TO:<{wire}@{agency.domain}>" in agency.server.log
    assert agency.asked() == 1


def test_lmtp(world):
    agency = world.agency(protocol="lmtp")
    agency.server.answer("rcpt", "550 5.1.1 no", to=agency.address("gone"))
    assert agency.send("gone", "lmtp-gone")[0] == 550
    assert agency.send("ann", "lmtp") is None
    agency.arrived("lmtp")
    assert any(line.startswith("LHLO") for line in agency.server.log)


def test_never_in_clear_where_tls_is_wanted(world):
    agency = world.agency(tls="required")
    assert agency.send("ann", "wants-tls") is None
    assert not any(line.startswith(("MAIL", "RCPT")) for line in agency.server.log)
    agency.route(tls="none")
    agency.arrived("wants-tls")


def test_a_harvest_ends(world):
    """Who has tried too many is told no more, not even of whom there is; others are."""
    agency = world.agency()
    agency.knows("ann", "bob")
    assert agency.send("ann", "known-before", source=HARVESTER) is None
    with world.session(HARVESTER) as smtp:
        smtp.ehlo()
        smtp.mail(SENDER)
        codes = [smtp.rcpt(agency.address(f"try{i}"))[0] for i in range(UNKNOWN + 2)]
        assert codes == [550] * UNKNOWN + [450] * 2
        assert smtp.rcpt(agency.address("bob"))[0] == 450
        assert smtp.rcpt(agency.address("ann"))[0] == 250
    asked = agency.asked()
    assert agency.send("bob", "not-a-harvester") is None
    assert agency.asked() == asked + 1


def test_another_next_hop_is_asked_anew(world):
    agency, other = world.agency(), world.agency()
    agency.knows()
    assert agency.send("ann", "before")[0] == 550
    agency.route(host=other.host)
    wait_for(lambda: agency.send("ann", "after") is None, 10, "the new server's answer")
    assert other.server.wait(1, 60, lambda m: b"Subject: after" in m.raw)


def test_gatewayd_is_started_anew_and_away(world):
    """In one session: nothing is remembered, the socket is another; without gatewayd all are let in."""
    agency = world.agency()
    agency.knows("ann")
    gatewayd = world.platform.gatewayd
    with agency.session() as smtp:
        smtp.ehlo()
        smtp.mail(SENDER)
        assert smtp.rcpt(agency.address("nobody"))[0] == 550
        gatewayd.stop()
        try:
            assert smtp.rcpt(agency.address("nobody"))[0] == 250
        finally:
            gatewayd.start()
        assert smtp.rcpt(agency.address("nobody"))[0] == 550
        assert smtp.rcpt(agency.address("ann"))[0] == 250
    assert agency.asked() == 3


def test_switched_off(world):
    agency = world.agency()
    agency.knows()
    world.restart(verify="no")
    try:
        assert agency.send("nobody", "off") is None
        assert agency.asked() == 0
    finally:
        world.restart(verify="yes")


def ask(socket_path, **attributes):
    """Of a policy service, as Postfix asks."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(socket_path))
        lines = {"request": "smtpd_access_policy", **attributes}
        s.sendall("".join(f"{k}={v}\n" for k, v in lines.items()).encode() + b"\n")
        return s.makefile().readline().strip().removeprefix("action=")


def test_neither_service_does_the_others_work(world):
    """REQ-136: a proof of submission is to be had from one socket, which Postfix "in" does not know."""
    run = world.platform.layout.run
    agency = world.agency()
    agency.knows()
    world.platform.api.post(f"{agency.organisation.path}/submitters", {"kind": "network", "network": f"{CUSTOMER}/32"})
    submission = {"protocol_state": "DATA", "client_address": CUSTOMER, "sender": agency.address("ann"),
                  "queue_id": "4gtest", "recipient": agency.address("nobody")}
    wait_for(lambda: ask(run / "policy.sock", **submission).startswith("PREPEND"), 10, "the submitter")
    assert ask(run / "recipients.sock", **submission) == "DUNNO"
    question = {**submission, "protocol_state": "RCPT", "sender": SENDER}
    assert ask(run / "policy.sock", **question) == "DUNNO"
    assert ask(run / "recipients.sock", **question).startswith("550 5.1.1 ")
