"""The edges as configured by deploy/postfix: who may hand in mail, what a requeue does, line ends."""
import re
import smtplib
import subprocess
import tempfile

import pytest

from sealgate import wait_for
from sealgate.ports import PortBlock
from sealgate.submit import submit
from sealgate.wire import leaks
from setting import A, B, FROM_A, OUTSIDE, Setting, simple

BODY = "Only for the two of us, and nobody on the way.\r\n"


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgx", dir="/var/tmp") as folder:
        s = Setting(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


def requeue(postfix):
    postfix.run("postsuper", "-r", "ALL")
    postfix.flush()


def test_unknown_client_is_refused_before_its_mail_is_taken(setting):
    """REQ-136: an address that is no submitter's."""
    with pytest.raises(smtplib.SMTPDataError) as refused:
        submit(setting.platform.port["postfix_out"], f"joe@{A}", [f"ann@{B}"],
               simple(f"joe@{A}", [f"ann@{B}"], "unknown"), "127.0.0.77")
    assert refused.value.smtp_code in (550, 554)
    assert b"5.7.1" in refused.value.smtp_error


def test_client_certificate_names_the_submitter(setting, tmp_path):
    """REQ-136: the fingerprint that the tenant was given, from any address; another one does not."""
    def certificate(name):
        pem, key = tmp_path / f"{name}.pem", tmp_path / f"{name}.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", f"/CN={name}", "-keyout", key, "-out", pem],
                       check=True, capture_output=True)
        text = subprocess.run(["openssl", "x509", "-in", pem, "-noout", "-fingerprint", "-sha256"],
                              check=True, capture_output=True, text=True).stdout
        return (str(pem), str(key)), text.strip().partition("=")[2]

    known, fingerprint = certificate("known")
    other, _ = certificate("other")
    setting.platform.api.post(f"{setting.a.path}/submitters",
                              {"kind": "client_certificate", "fingerprint": fingerprint})
    port = setting.platform.port["postfix_out"]
    message = simple(f"joe@{A}", [f"ann@{B}"], "by-certificate", BODY)

    def accepted():
        try:
            return submit(port, f"joe@{A}", [f"ann@{B}"], message, "127.0.0.78", known)
        except smtplib.SMTPDataError:
            return None

    wait_for(accepted, 10, "the new submitter")
    assert setting.arrived(B, "by-certificate")
    with pytest.raises(smtplib.SMTPDataError, match="5.7.1"):
        submit(port, f"joe@{A}", [f"ann@{B}"], message, "127.0.0.78", other)


def test_nothing_is_taken_while_the_policy_service_is_away(setting):
    setting.platform.gatewayd.stop()
    try:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            setting.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], "away"))
        assert refused.value.smtp_code == 451
    finally:
        setting.platform.gatewayd.start()
    setting.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], "back"))
    assert setting.arrived(B, "back")


def test_postfix_in_relays_for_nobody(setting):
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        setting.from_outside("x@world.test", [f"somebody@{OUTSIDE}"], b"Subject: relay\r\n\r\nx\r\n")


def test_below_a_domain_of_ours_nothing_is_ours(setting):
    """What Postfix "in" took for it would be refused by gatewayd afterwards, and nobody would be told."""
    with smtplib.SMTP("127.0.0.1", setting.platform.port["postfix_in"], "world.test", timeout=60) as smtp:
        smtp.ehlo()
        assert smtp.mail("x@world.test")[0] == 250
        code, text = smtp.rcpt(f"ann@sub.{B}")
        assert code == 554 and b"5.7.1" in text, (code, text)
        assert smtp.rcpt(f"ann@{B}")[0] == 250


def test_route_of_a_domain_is_not_that_of_what_lies_below_it(setting):
    """Sealed mail takes the routes that plain mail takes."""
    values, out = setting.platform.postfix_out.values, setting.platform.postfix_out
    with smtplib.SMTP(values["sealed_host"], values["sealed_port"], "gatewayd.test", timeout=60,
                      source_address=("127.0.0.1", 0)) as smtp:
        smtp.ehlo()
        smtp.mail(f"joe@{A}")
        for domain in ("nocert.test", "sub.nocert.test", "last.test"):
            assert smtp.rcpt(f"ann@{domain}")[0] == 250

    def filters(domain):
        return re.findall(rf"<ann@{domain}>: Recipient address triggers FILTER (\S+);", out.log.read_text())

    wait_for(lambda: filters("last.test"), 10, "Postfix to write its log")
    every, own = filters("nocert.test")
    assert every == "sealed:" and f"nocert.test FILTER {own}\n" in values["sealed_routes"]
    assert filters("sub.nocert.test") == ["sealed:"]


@pytest.mark.parametrize("edge", ["postfix_out", "postfix_in"])
def test_address_beyond_ascii_needs_smtputf8(setting, edge):
    """gatewayd refuses it without (RFC 6531 section 3.4): who sends it hears so at once, and not of a report that nobody gets."""
    strange = "m\N{LATIN SMALL LETTER A WITH MACRON}ori"
    with smtplib.SMTP("127.0.0.1", setting.platform.port[edge], "client.test", timeout=60,
                      source_address=(FROM_A, 0)) as smtp:
        smtp.command_encoding = "utf-8"
        smtp.ehlo()
        code, text = smtp.mail(f"{strange}@{A}")
        assert code == 553 and b"5.6.7" in text, (code, text)
        assert smtp.mail(f"joe@{A}")[0] == 250
        code, text = smtp.rcpt(f"{strange}@{B}")
        assert code == 553 and b"5.6.7" in text, (code, text)
        assert smtp.rcpt(f"ann@{B}")[0] == 250
        smtp.rset()
        assert smtp.mail(f"{strange}@{A}", ["SMTPUTF8"])[0] == 250
        assert smtp.rcpt(f"{strange}@{B}")[0] == 250


def test_requeued_on_the_way_out_it_is_sealed_all_the_same(setting):
    """REQ-62: postsuper -r must not lead past gatewayd."""
    subject = "requeued-out"
    setting.platform.hsmd.stop()
    try:
        setting.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], subject, BODY))
        out = setting.platform.postfix_out
        wait_for(lambda: any(m["queue_name"] == "deferred" for m in out.queue()), 30, "deferral")
        requeue(out)
    finally:
        setting.platform.hsmd.start()
    assert setting.arrived(B, subject)
    for _, raw in setting.on_wire(subject):
        assert leaks(BODY.encode(), raw) == []


def test_requeued_on_the_way_in_it_arrives_once(setting):
    subject = "requeued-in"
    setting.servers[B].answer("data", "450 4.2.0 busy")
    try:
        setting.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], subject, BODY))
        inner = setting.platform.postfix_in
        wait_for(lambda: any(m["queue_name"] == "deferred" for m in inner.queue()), 30, "deferral")
    finally:
        setting.servers[B].accept_all()
    requeue(inner)
    mail, = setting.arrived(B, subject)
    assert mail.body == BODY.encode()
    wait_for(lambda: not inner.queue(), 30, "an empty queue")
    assert len(setting.arrived(B, subject)) == 1


def test_sizes(setting):
    for name, size in (("postfix_out", 62914560), ("reentry", 104857600),
                       ("postfix_in", 104857600)):
        with smtplib.SMTP("127.0.0.1", setting.platform.port[name], "x.test") as smtp:
            smtp.ehlo()
            assert int(smtp.esmtp_features["size"]) == size, name


def test_the_password_is_in_no_log(setting):
    """The last test here: Postfix's maps need a minute after it. What it could not connect to it names."""
    platform = setting.platform
    password = platform.postgresql.password("postfix")
    platform.postgresql.stop()
    try:
        with pytest.raises((smtplib.SMTPException, OSError)):
            setting.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], "no-database"))

        def said():
            try:
                with smtplib.SMTP("127.0.0.1", platform.port["postfix_in"]) as smtp:
                    smtp.sendmail("x@x.test", [f"ann@{B}"], b"")
            except (smtplib.SMTPException, OSError):
                pass
            return "connect to pgsql server" in platform.postfix_in.log.read_text()
        wait_for(said, 20, "Postfix to miss its database")
        for log in platform.layout.log.iterdir():
            assert password not in log.read_text(errors="replace"), log.name
    finally:
        platform.postgresql.start()
