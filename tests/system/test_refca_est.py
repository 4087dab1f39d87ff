"""The reference CA's EST server (RFC 7030): REQ-51, 158 to 164, 166, with curl and openssl as clients."""
import base64
import datetime as dt
import pathlib
import shutil
import tempfile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from certlab import DCA, DER, PEM, dca_csr, rsa_key, run
from estlab import EST, CurlFailed, EstCA, save
from sealgate.ports import PortBlock


@pytest.fixture(scope="module")
def ports():
    with PortBlock() as block:
        yield block.base


@pytest.fixture(scope="module")
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="sealgate-est-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def ca(folder, ports):
    made = EstCA(folder / "ca", ports, "--name", "EST test CA")
    made.server.start()
    yield made
    made.server.stop()


@pytest.fixture(autouse=True)
def no_fault(ca):
    yield
    ca.fault()


def refused(answer, status, words):
    assert answer.status == status, (answer.status, answer.text)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert words in answer.text and answer.text.count("\n") == 1


def test_cacerts(ca):
    """RFC 7030 section 4.1: without authentication, certs-only, and openssl reads it."""
    answer = ca.curl(f"{EST}/cacerts", user=None)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/pkcs7-mime"
    assert answer.headers["content-transfer-encoding"] == "base64"
    path = ca.folder / "cacerts.p7"
    path.write_bytes(base64.b64decode(answer.body))
    text = run("openssl", "pkcs7", "-inform", "der", "-in", path, "-print_certs").stdout.decode()
    assert text.count("BEGIN CERTIFICATE") == 2
    assert "EST test CA Root" in text and "EST test CA Issuing" in text
    assert run("openssl", "cms", "-cmsout", "-print", "-inform", "der", "-in", path).stdout
    assert ca.curl(f"{EST}/csrattrs", user=None).status == 204


def test_server_certificate(ca):
    """What a client pins is the TLS CA, which is not the anchor for e-mail."""
    with pytest.raises(CurlFailed) as error:
        ca.curl(f"{EST}/cacerts", "--cacert", ca.folder / "root.pem", user=None)
    assert error.value.code == 60
    assert ca.curl(f"{EST}/cacerts", "--connect-to", "localhost:443:127.0.0.1:"
                   f"{ca.est_port}", user=None).status == 200
    text = run("openssl", "x509", "-in", ca.folder / "est.pem", "-noout", "-text").stdout.decode()
    assert "DNS:localhost" in text and "IP Address:127.0.0.1" in text and "CA:FALSE" in text
    before = text
    ca("est-init")  # renewed while it serves: taken up by the next connection
    assert run("openssl", "x509", "-in", ca.folder / "est.pem", "-noout", "-text"
               ).stdout.decode() != before
    assert ca.curl(f"{EST}/cacerts", user=None).status == 200


def test_enrol(ca):
    """REQ-51, 158, 160, 163, 164, 166 as for `issue`; openssl builds the chain from cacerts."""
    answer = ca.enrol("a.test")
    assert answer.headers["content-type"] == "application/pkcs7-mime; smime-type=certs-only"
    leaf = save(answer.certificate, ca.folder / "a.pem")
    untrusted = ca.folder / "untrusted.pem"
    untrusted.write_bytes(b"".join(c.public_bytes(PEM)
                                   for c in ca.curl(f"{EST}/cacerts", user=None).certificates))
    run("openssl", "verify", "-x509_strict", "-purpose", "smimeencrypt", "-CAfile",
        ca.folder / "root.pem", "-untrusted", untrusted, leaf)
    text = run("openssl", "x509", "-in", leaf, "-noout", "-text").stdout.decode()
    assert f"CN = {DCA}\n" in text and f"email:{DCA}@a.test" in text and f"URI:{ca.url}" in text
    assert answer.certificate.public_key().public_numbers() == rsa_key(
        "a.test").public_key().public_numbers()
    end, begin = answer.certificate.not_valid_after, answer.certificate.not_valid_before
    assert dt.timedelta(380) < end - begin < dt.timedelta(397)
    assert [row["domain"] for row in ca.issued("a.test")] == ["a.test"]


def test_the_same_request_again(ca):
    """A client that lost the answer gets the certificate that was made; REQ-163 holds for others."""
    first = ca.enrol("again.test").certificate
    assert ca.enrol("again.test").certificate == first
    assert len(ca.issued("again.test")) == 1
    refused(ca.enrol("again.test", key=rsa_key("again2")), 400, "REQ-163: again.test has")
    refused(ca.ask(dca_csr("again.test", rsa_key("again.test"), digest=hashes.SHA512())), 400,
            "REQ-163")


def test_renewal(ca):
    """simplereenroll: beside the old one, with the same or a new key; once, however often asked."""
    refused(ca.enrol("renew.test", "simplereenroll"), 400, "no certificate from here")
    first = ca.enrol("renew.test").certificate
    second = ca.enrol("renew.test", "simplereenroll").certificate
    assert second != first
    assert ca.enrol("renew.test", "simplereenroll").certificate == second
    rekeyed = ca.enrol("renew.test", "simplereenroll", key=rsa_key("renew2")).certificate
    assert len(ca.issued("renew.test")) == 3 and rekeyed not in (first, second)
    for i in (3, 4):
        ca.enrol("renew.test", "simplereenroll", key=rsa_key(f"renew{i}"))
    refused(ca.enrol("renew.test", "simplereenroll", key=rsa_key("renew5")), 400, "REQ-163")


def test_who_may(ca):
    other = ca.folder / "other.password"
    other.write_text("another password of the tests")
    ca("account-add", "other", "--password-file", other, "--domains", "b.test,*.c.test")
    user = f"other:{other.read_text()}"
    assert ca.enrol("b.test", user=user).status == 200
    assert ca.enrol("x.c.test", user=user).status == 200
    for domain in ("c.test", "xc.test", "sub.b.test", "a.test"):
        refused(ca.enrol(domain, user=user), 403, f"may not ask for {domain}")
    refused(ca.enrol("b.test", user=None), 401, "password")
    answer = ca.enrol("b.test", user="other:wrong")
    refused(answer, 401, "wrong account or password")
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert ca.enrol("b.test", user="nobody:wrong").text == answer.text
    ca("account-set", "other", "--domains", "d.test")
    refused(ca.enrol("b.test", user=user), 403, "may not")
    ca("account-remove", "other")
    refused(ca.enrol("d.test", user=user), 401, "wrong")
    assert other.read_bytes() not in (ca.folder / "ca.db").read_bytes()


def test_client_certificate(ca):
    """An account's own certificate, trusted by itself; another of the same name is not."""
    for name in ("client", "impostor"):
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
            "/CN=client", "-keyout", ca.folder / f"{name}.key", "-out", ca.folder / f"{name}.pem")
    ca("account-add", "client", "--certificate", ca.folder / "client.pem", "--domains", "tls.test")

    def use(name):
        return ["--cert", ca.folder / f"{name}.pem", "--key", ca.folder / f"{name}.key"]

    body = ca.folder / "tls.csr"
    body.write_bytes(base64.encodebytes(x509.load_pem_x509_csr(
        dca_csr("tls.test", rsa_key("tls.test"))).public_bytes(
            DER)))
    post = ["-H", "Content-Type: application/pkcs10", "--data-binary", f"@{body}"]
    assert ca.curl(f"{EST}/simpleenroll", *post, *use("client"), user=None).status == 200
    with pytest.raises(CurlFailed):
        ca.curl(f"{EST}/simpleenroll", *post, *use("impostor"), user=None)
    assert ca.curl(f"{EST}/simpleenroll", *post).status == 200  # a password beside it


def test_requests_that_are_refused(ca):
    for words, options in [
            ("1024 bits", {"key": rsa_key("small", 1024)}),
            ("only RSA", {"key": ec.generate_private_key(ec.SECP256R1())}),
            ("sha1", {"digest": hashes.SHA1()}),
            ("REQ-164: the common name", {"common_name": "Agency"}),
            ("REQ-164: the address", {"address": "joe@r.test"}),
            ("names no domain", {"address": ""}),
            ("this key belongs to", {"key": rsa_key("a.test")})]:
        refused(ca.ask(dca_csr("r.test", **{"key": rsa_key("r.test"), **options})), 400, words)
    refused(ca.ask(b"not base64!"), 400, "not base64")
    refused(ca.ask(base64.b64encode(b"not DER")), 400, "PKCS#10")
    refused(ca.ask(base64.b64encode(b"\x30\x82\x01\x00" + bytes(256))), 400, "cannot be read")
    refused(ca.enrol("r.test", content_type="text/plain"), 415, "application/pkcs10")
    refused(ca.curl(f"{EST}/simpleenroll"), 405, "POST alone")
    refused(ca.curl(f"{EST}/label/simpleenroll"), 404, "nothing here")
    assert ca.issued("r.test") == []
