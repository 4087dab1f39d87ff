"""The reference CA's EST server (RFC 7030): REQ-51, 158 to 164, 166, 168, 169, 174, with curl and openssl as
clients. What is done to it on purpose is in test_refca_hostile.py."""
import base64
import datetime as dt
import json
import pathlib
import shutil
import tempfile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from certlab import DCA, DER, PEM, REFCA, Slapd, dca_csr, iso, rsa_key, run, wait_for
from estlab import EST, PASSWORD, CurlFailed, EstCA, save
from sealgate import keypool
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

    def by_name(name):
        return run("curl", "-sS", "--cacert", ca.folder / "est-ca.pem", "--resolve",
                   f"{name}:{ca.est_port}:127.0.0.1", f"https://{name}:{ca.est_port}/healthz",
                   check=False)

    assert by_name("localhost").stdout == b"ok\n"
    text = run("openssl", "x509", "-in", ca.folder / "est.pem", "-noout", "-text").stdout.decode()
    assert "DNS:localhost" in text and "IP Address:127.0.0.1" in text and "CA:FALSE" in text
    before = text
    ca("est-init", "--host", "ca.example.nz", "--host", "127.0.0.1", "--host", "::1")  # renewed while it serves: taken up by the next connection
    assert run("openssl", "x509", "-in", ca.folder / "est.pem", "-noout", "-text"
               ).stdout.decode() != before
    assert ca.curl(f"{EST}/cacerts", user=None).status == 200
    text = run("openssl", "x509", "-in", ca.folder / "est.pem", "-noout", "-ext", "subjectAltName"
               ).stdout.decode()
    assert "DNS:ca.example.nz, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1" in text
    assert by_name("ca.example.nz").stdout == b"ok\n"
    assert by_name("other.example.nz").returncode == 60
    ca("est-init")


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


def test_a_client_with_gnutls(ca):
    """wget is built with GnuTLS."""
    body, out = ca.folder / "wget.b64", ca.folder / "wget.p7"
    body.write_bytes(base64.b64encode(x509.load_pem_x509_csr(
        dca_csr("wget.test", rsa_key("wget.test"))).public_bytes(DER)))
    run("wget", "-q", "--tries=1", f"--ca-certificate={ca.folder}/est-ca.pem", "--user=gateway",
        f"--password={PASSWORD}", "--header=Content-Type: application/pkcs10",
        f"--post-file={body}", "-O", out, f"https://127.0.0.1:{ca.est_port}{EST}/simpleenroll")
    der = ca.folder / "wget.der"
    der.write_bytes(base64.b64decode(out.read_bytes()))
    text = run("openssl", "pkcs7", "-inform", "der", "-in", der, "-print_certs", "-text").stdout
    assert f"email:{DCA}@wget.test".encode() in text


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
        run("openssl", "req", "-x509", *keypool.request(ca.folder / f"{name}.key"), "-days", "30", "-subj",
            "/CN=client", "-out", ca.folder / f"{name}.pem")
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
            ("secp521r1", {"key": ec.generate_private_key(ec.SECP521R1())}),
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


DAY_SECONDS = 86400


def test_a_year_of_renewals(folder, ports):
    """REQ-160, 161 with the CA's clock moved: the same request, year after year, until the key is four
    years old. What is sent again within the week is no renewal."""
    ca = EstCA(folder / "year", ports + 3)
    ca.serve("--refresh", "60").start()
    try:
        certificates = [ca.enrol("y.test").certificate]
        for month in range(11, 60, 11):
            ca.clock(month * 31 * DAY_SECONDS)
            answer = ca.enrol("y.test", "simplereenroll")
            if month == 55:
                break
            certificates.append(answer.certificate)
            ca.clock(month * 31 * DAY_SECONDS + 6 * DAY_SECONDS)
            assert ca.enrol("y.test", "simplereenroll").certificate == certificates[-1]
            ca.curl("/healthz")
            lists = run("curl", "-sS", f"http://127.0.0.1:{ca.port}/ca.crl").stdout
            crl = x509.load_der_x509_crl(lists)
            assert crl.last_update <= certificates[-1].not_valid_before + dt.timedelta(7)
            assert crl.next_update > certificates[-1].not_valid_before
        refused(answer, 400, "REQ-161")
        assert len(set(certificates)) == 5
        for old, new in zip(certificates, certificates[1:]):
            assert old.not_valid_before < new.not_valid_before < old.not_valid_after
        assert ca.enrol("y.test", "simplereenroll", key=rsa_key("y2")).status == 200
    finally:
        ca.server.stop()


def test_short_lives(folder, ports):
    """--est-days: what is sent again within half of the life is no renewal; after the end it is a first one."""
    ca = EstCA(folder / "short", ports + 3)
    ca.serve("--est-days", "6").start()
    try:
        first = ca.enrol("s.test").certificate
        assert first.not_valid_after - first.not_valid_before == dt.timedelta(6)
        second = ca.enrol("s.test", "simplereenroll").certificate
        ca.clock(2 * DAY_SECONDS)
        assert ca.enrol("s.test", "simplereenroll").certificate == second
        ca.clock(4 * DAY_SECONDS)
        assert ca.enrol("s.test", "simplereenroll").certificate not in (first, second)
        assert ca.enrol("s.test").certificate == first
        ca.clock(11 * DAY_SECONDS)
        assert ca.enrol("s.test").certificate != first
    finally:
        ca.server.stop()


def test_approval_by_hand(folder, ports):
    """202 with Retry-After until an officer has decided (RFC 7030 section 4.2.3)."""
    ca = EstCA(folder / "manual", ports + 5)
    ca.serve("--est-approve", "manual", "--est-retry-after", "7").start()
    try:
        for _ in range(2):
            answer = ca.enrol("m.test")
            assert answer.status == 202 and answer.headers["retry-after"] == "7"
        refused(ca.ask(dca_csr("m.test", rsa_key("small", 1024))), 400, "1024 bits")
        ca.enrol("n.test")
        waiting = [json.loads(line) for line in ca("pending").splitlines()]
        assert [(row["domain"], row["kind"], row["account"]) for row in waiting] == [
            ("m.test", "enroll", "gateway"), ("n.test", "enroll", "gateway")]
        key = rsa_key("m.test").public_key()
        public = ca.folder / "public.der"
        public.write_bytes(key.public_bytes(DER, serialization.PublicFormat.SubjectPublicKeyInfo))
        assert run("sha256sum", public).stdout.decode().split()[0] == waiting[0]["key_sha256"]
        serial = ca("approve", waiting[0]["id"]).strip()
        assert ca.enrol("m.test").certificate.serial_number == int(serial, 16)
        ca("refuse", waiting[1]["id"], "--reason", "the letter of the agency is missing")
        for _ in range(2):
            refused(ca.enrol("n.test"), 403, "the letter of the agency is missing")
        assert ca("pending") == ""
        ca("approve", waiting[1]["id"])  # it has come
        assert ca.enrol("n.test").status == 200
        # Switched to automatic, what waits is issued when it is asked for again.
        assert ca.enrol("auto.test").status == 202
        ca.server.stop()
        ca.serve().start()
        assert ca.enrol("auto.test").status == 200 and ca("pending") == ""
        ca.server.stop()
        ca.serve("--est-approve", "manual").start()
        # The rules hold when it is approved, whatever they said when it came in.
        other = [rsa_key("p1"), rsa_key("p2")]
        for one in other:
            assert ca.enrol("p.test", key=one).status == 202
        first, second = (json.loads(line)["id"] for line in ca("pending").splitlines())
        ca("approve", first)
        result = run(REFCA, "--dir", ca.folder, "approve", second, check=False)
        assert result.returncode == 2 and b"REQ-163" in result.stderr
        for words, arguments in (("has its certificate already", ["approve", first]),
                                 ("no request 999", ["refuse", "999", "--reason", "x"])):
            result = run(REFCA, "--dir", ca.folder, *arguments, check=False)
            assert result.returncode == 2 and words in result.stderr.decode()
    finally:
        ca.server.stop()


# Revocation requests ---------------------------------------------------------------------------

def on_list(ca, serial):
    data = run("curl", "-sS", f"http://127.0.0.1:{ca.port}/ca.crl").stdout
    return x509.load_der_x509_crl(data).get_revoked_certificate_by_serial_number(int(serial, 16))


def problem(answer, status, words):
    assert answer.status == status, (answer.status, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status and words in answer.json["detail"]


def serial_of(answer):
    return f"{answer.certificate.serial_number:x}"


def test_revocation(ca):
    """REQ-174: on the list by the time of the answer; again is the same; another's is refused."""
    serial = serial_of(ca.enrol("v.test"))
    for _ in range(2):
        answer = ca.revoke_by_est(serial, "superseded")
        assert answer.status == 200 and answer.headers["content-type"] == "application/json"
        assert {k: v for k, v in answer.json.items() if k != "revoked_at"} == {
            "serial": serial, "domain": "v.test", "state": "revoked", "reason": "superseded"}
        entry = on_list(ca, serial)
        assert entry.extensions.get_extension_for_class(
            x509.CRLReason).value.reason == x509.ReasonFlags.superseded
        assert iso(entry.revocation_date) == answer.json["revoked_at"]
    # What was superseded turns out to be compromised; never the other way round.
    assert ca.revoke_by_est(serial.upper(), "keyCompromise").json["reason"] == "keyCompromise"
    assert ca.revoke_by_est("00:" + serial, "superseded").json["reason"] == "keyCompromise"
    refused(ca.enrol("v.test"), 400, "compromised")
    assert ca.enrol("v.test", "simplereenroll", key=rsa_key("v2")).status == 200
    rows = [json.loads(line) for line in ca("revocations").splitlines()]
    assert [(row["reason"], row["account"]) for row in rows if row["serial"] == serial] == [
        ("superseded", "gateway"), ("keyCompromise", "gateway")]


def test_suspension(ca):
    serial = serial_of(ca.enrol("hold.test"))
    assert ca.revoke_by_est(serial, "certificateHold").json["state"] == "suspended"
    assert on_list(ca, serial)
    for operation in ("simpleenroll", "simplereenroll"):  # asking anew is no way around
        refused(ca.enrol("hold.test", operation), 400, "suspended")
    assert len(ca.issued("hold.test")) == 1
    for _ in range(2):
        assert ca.revoke_by_est(serial, "removeFromCRL").json == {
            "serial": serial, "domain": "hold.test", "state": "valid", "reason": None,
            "revoked_at": None}
        assert not on_list(ca, serial)
    for reason in ("certificateHold", "affiliationChanged", "cessationOfOperation"):
        ca.revoke_by_est(serial, reason)
    assert on_list(ca, serial).extensions.get_extension_for_class(
        x509.CRLReason).value.reason == x509.ReasonFlags.affiliation_changed
    problem(ca.revoke_by_est(serial, "removeFromCRL"), 409, "for good")


def test_revocations_that_are_refused(ca):
    password = ca.folder / "narrow.password"
    password.write_text("a narrow password of the tests")
    ca("account-add", "narrow", "--password-file", password, "--domains", "narrow.test")
    serial = serial_of(ca.enrol("wide.test"))
    mine = serial_of(ca.enrol("narrow.test"))
    user = f"narrow:{password.read_text()}"
    problem(ca.revoke_by_est(serial, user=user), 403, "may not revoke for wide.test")
    problem(ca.revoke_by_est(serial, user=None), 401, "password")
    problem(ca.revoke_by_est(serial, user="narrow:wrong"), 401, "wrong")
    assert ca.revoke_by_est(mine, user=user).status == 200
    issuer = x509.load_pem_x509_certificate((ca.folder / "issuing.pem").read_bytes())
    right = issuer.fingerprint(hashes.SHA256()).hex()
    problem(ca.revoke_by_est(serial, issuer_sha256="00" * 32), 404, "not issued by this CA")
    assert ca.revoke_by_est(serial, issuer_sha256=right).status == 200
    problem(ca.revoke_by_est("1234"), 404, "no certificate with serial number 1234")
    for words, body in [
            ("not JSON", "{"), ("an object", "[]"), ("an object", '{"serial": 1}'),
            ("unknown: what", '{"serial": "12", "reason": "superseded", "what": "x"}'),
            ("serial", '{"reason": "superseded"}'), ("serial", '{"serial": "xyz"}'),
            ("serial", json.dumps({"serial": "1" * 41, "reason": "superseded"})),
            ("reason", '{"serial": "12"}'), ("reason", '{"serial": "12", "reason": "whim"}'),
            ("not JSON", "[" * 50_000)]:
        path = ca.folder / "body.json"
        path.write_text(body)
        problem(ca.curl("/revocations", "-H", "Content-Type: application/json", "-d", f"@{path}"),
                400, words)
    problem(ca.curl("/revocations", "-d", "{}"), 415, "application/json")
    problem(ca.curl("/revocations"), 405, "POST")


# The directory ---------------------------------------------------------------------------------

def test_the_directory_follows(folder, ports):
    """REQ-168, 169: there with the answer, gone with the revocation or the end; while the directory is
    away nothing is lost, and enrolment goes on."""
    ca = EstCA(folder / "published", ports + 7)
    slapd = Slapd(folder / "slapd", ports + 9, ports + 10)
    slapd.server.start()
    ca.serve(*slapd.bind).start()

    def entry(domain):
        text = slapd.search(f"(mail={DCA}@{domain})", "userCertificate;binary")
        return text.count("userCertificate;binary::")

    try:
        first = serial_of(ca.enrol("d.test"))
        assert entry("d.test") == 1
        ca.enrol("d.test", "simplereenroll")
        assert entry("d.test") == 2
        assert ca.revoke_by_est(first).status == 200
        assert entry("d.test") == 1
        der = (ca.folder / "ca.crl").read_bytes()
        wait_for(lambda: base64.b64encode(der).decode() in slapd.search(
            "(objectClass=pkiCA)", "certificateRevocationList;binary"))
        held = serial_of(ca.enrol("e.test"))
        ca("revoke", held, "--reason", "certificateHold")  # by the command, while serve runs
        wait_for(lambda: entry("e.test") == 0)
        ca("restore", held)
        wait_for(lambda: entry("e.test") == 1)
        ca.issue("byhand.test")
        assert ca.enrol("f.test").status == 200 and entry("f.test") == 1
        assert entry("byhand.test") == 0  # never published: that is the officer's
        # An entry that the directory refuses does not keep the others waiting.
        ldif = folder / "odd.ldif"
        ldif.write_text("dn: ou=odd.test,c=NZ\nobjectClass: organizationalUnit\nou: odd.test\n\n"
                        f"dn: cn={DCA},ou=odd.test,c=NZ\nobjectClass: organizationalRole\n"
                        f"cn: {DCA}\n")
        run("ldapadd", "-x", "-H", slapd.url, "-D", "cn=admin,c=NZ", "-y", slapd.password, "-f",
            ldif)
        assert ca.enrol("odd.test").status == 200 and entry("odd.test") == 0
        assert ca.enrol("even.test").status == 200 and entry("even.test") == 1
        slapd.server.stop()
        assert ca.enrol("g.test").status == 200
        assert ca.revoke_by_est(held).status == 200
        slapd.server.start()
        wait_for(lambda: entry("g.test") == 1 and entry("e.test") == 0, 20)
        ca.clock(400 * DAY_SECONDS)
        wait_for(lambda: entry("g.test") == 0 and entry("d.test") == 0, 20)
    finally:
        ca.server.stop()
        slapd.server.stop()
