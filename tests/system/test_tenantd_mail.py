"""tenantd's own mail over a real SMTP server: what it looks like, TLS, refusals, and that a job's mail
comes once."""
import base64
import email
import email.policy
import json
import subprocess
import datetime
import time

import pytest

import apienv
from apienv import Platform, new_id
from sealgate.mailserver import HANG, MailServer
from sealgate.process import wait_for
from test_schema import Session


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A server's certificate for 127.0.0.1: its own CA."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "9", "-subj", "/CN=mail.test", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], check=True,
                   capture_output=True)
    return cert, key


class World:
    """tenantd with [mail] set to our server."""

    def __init__(self, platform):
        self.platform = platform
        self.provider = Session(platform.pg, "sg_provider")

    def configure(self, **mail):
        p = self.platform
        p.settings = {"jobs.retry": "50ms", "mail.server": "127.0.0.1", "mail.port": p.mail_port,
                      "mail.sender": "sealgate@provider.test", "mail.tls": "none",
                      **{f"mail.{k}": v for k, v in mail.items()}}
        p.configure()
        if "tenantd" in p.processes:
            p.stop("tenantd")
        p.tenantd_start()

    def queue(self, max_attempts=20, **payload):
        now = datetime.datetime.now(datetime.timezone.utc)
        mail = {"to": ["ann@agency.test"], "subject": "Kia ora", "text": "One\nTwo\n", **payload}
        return self.provider.insert("job", id=new_id("job"), kind="mail.send", state="queued",
                                    payload=json.dumps(mail), max_attempts=max_attempts, run_at=now,
                                    created_at=now)

    def ended(self, job):
        def row():
            found, = self.provider.run("SELECT state, last_error FROM job WHERE id = %s", job)
            return found if found[0] in ("done", "dead") else None
        return wait_for(row, 30, job)

    def words(self, job):
        return self.provider.run("SELECT last_error FROM job WHERE id = %s", job)[0][0]


@pytest.fixture(scope="module")
def world():
    with Platform(tenantd=False, hsm=False) as platform:
        yield World(platform)


@pytest.fixture
def server(world, tmp_path):
    with MailServer(world.platform.mail_port, tmp_path) as server:
        yield server


def test_what_it_looks_like(world, server):
    """Date, Message-ID, Auto-Submitted (RFC 3834); UTF-8 in subject and text; attachments whole."""
    world.configure()
    table, picture = "a,b\nō,2\n".encode(), bytes(range(256)) * 300
    subject = "Pūrongo o te marama — " + "ā" * 200
    text = "Kia ora,\n.\nthe line above is a dot; a long one: " + "x" * 1200 + "\nNgā mihi\n"
    job = world.queue(to=["ann@agency.test", "bob@agency.test"], subject=subject, text=text,
                      attachments=[{"name": "table.csv", "type": "text/csv",
                                    "data": base64.b64encode(table).decode()},
                                   {"name": "picture.png", "type": "image/png",
                                    "data": base64.b64encode(picture).decode()}])
    assert world.ended(job) == ("done", "")
    mail, = server.wait(1)
    assert mail.sender == "sealgate@provider.test"
    assert mail.recipients == ["ann@agency.test", "bob@agency.test"]
    assert max(map(len, mail.raw.split(b"\r\n"))) <= 998 and b"\n" not in mail.raw.replace(b"\r\n", b"")
    parsed = email.message_from_bytes(mail.raw, policy=email.policy.default)
    assert parsed["Subject"] == subject
    assert parsed["From"] == "Sealgate <sealgate@provider.test>"
    assert parsed["To"] == "ann@agency.test, bob@agency.test"
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["Message-ID"] == f"<{job}@provider.test>"
    age = datetime.datetime.now(datetime.timezone.utc) - parsed["Date"].datetime
    assert abs(age.total_seconds()) < 60
    body, csv, png = parsed.iter_parts()
    assert body.get_content().replace("\r\n", "\n") == text
    assert (csv.get_filename(), csv.get_content_type()) == ("table.csv", "text/csv")
    assert csv.get_payload(decode=True) == table
    assert png.get_filename() == "picture.png" and png.get_payload(decode=True) == picture


def test_tls(world, certificate, tmp_path):
    """verified: by its own CA it goes; by another CA, by another name, or without STARTTLS it waits,
    and not a command with content was said in clear."""
    cert, key = certificate
    with MailServer(world.platform.mail_port, tmp_path, cert, key) as server:
        world.configure(tls="verified", ca_file=cert)
        assert world.ended(world.queue()) == ("done", "")
        mail, = server.wait(1)
        assert mail.tls
        world.configure(tls="verified", ca_file="/etc/ssl/certs/ca-certificates.crt")
        job = world.queue()
        wait_for(lambda: "TLS with 127.0.0.1" in world.words(job), 20, "the reason")
        world.configure(tls="verified", ca_file=cert, server="localhost")
        wait_for(lambda: "TLS with localhost" in world.words(job), 20, "the reason")
        assert len(server.mails) == 1
        world.configure(tls="required")
        assert world.ended(job) == ("done", "")
    with MailServer(world.platform.mail_port, tmp_path / "clear") as server:
        world.configure(tls="required")
        job = world.queue()
        wait_for(lambda: "TLS with 127.0.0.1" in world.words(job), 20, "the reason")
        assert not server.mails and not any(line.startswith("MAIL") for line in server.log)
        world.configure(tls="opportunistic")
        assert world.ended(job) == ("done", "")


def test_refused_and_away(world, server):
    """5xx is the end, with the server's words; 4xx and nobody there is tried again."""
    world.configure(timeout="1s")
    server.answer("rcpt", "550 5.1.1 no such user here", to="nobody@agency.test")
    state, words = world.ended(world.queue(to=["nobody@agency.test"]))
    assert state == "dead" and "550 5.1.1 no such user here" in words, words
    server.answer("data", "450 4.2.0 busy", times=2)
    job = world.queue()
    assert world.ended(job) == ("done", "")
    assert world.provider.run("SELECT attempts FROM job WHERE id = %s", job) == [(3,)]
    for stage in ("connect", "mail", "data"):
        server.answer(stage, HANG, times=1)
        began = time.monotonic()
        assert world.ended(world.queue()) == ("done", "")
        assert time.monotonic() - began < 6
    server.stop()
    job = world.queue(max_attempts=1000)
    wait_for(lambda: "127.0.0.1" in world.words(job), 20, "the reason")
    server.start()
    assert world.ended(job) == ("done", "")
    assert len(server.mails) == 5


@pytest.mark.parametrize("payload", [
    {"to": []}, {"to": ["ann@agency.test"] * 51}, {"to": ["ann"]}, {"to": ["a@b.test\r\nRCPT TO:<x@y.z>"]},
    {"to": ["a b@agency.test"]}, {"subject": "x\nBcc: eve@evil.test"}, {"subject": "x" * 961},
    {"attachments": [{"name": "a", "type": "text/csv\nX: y", "data": ""}]},
    {"attachments": [{"name": "a", "type": "text/csv", "data": "*"}]}])
def test_what_is_no_mail(world, server, payload):
    if "tenantd" not in world.platform.processes:
        world.configure()
    state, words = world.ended(world.queue(**payload))
    assert state == "dead" and words and not server.mails


def test_configuration(world):
    conf = world.platform.dir / "tenantd.conf"
    good = conf.read_text()
    try:
        for settings, words in [({"mail.server": "mail.test", "mail.sender": ""}, "sender in [mail]"),
                                ({"mail.certificate": "/c.pem", "mail.key": ""}, "go together")]:
            conf.write_text(apienv.template.change(good, settings))
            done = subprocess.run([apienv.BUILD / "bin/tenantd", "-t", "-c", conf], text=True,
                                  capture_output=True)
            assert done.returncode == 2 and words in done.stderr
    finally:
        conf.write_text(good)
