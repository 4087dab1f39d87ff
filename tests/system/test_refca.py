"""The reference CA as a program: REQ-158 to 164, 166, 168, 169, 190, judged by the openssl command."""
import concurrent.futures
import contextlib
import datetime as dt
import json
import os
import pathlib
import re
import shlex
import shutil
import sqlite3
import stat
import subprocess
import time
import tempfile
import urllib.error
import urllib.request

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from certlab import CA, DAY, DCA, NOW, REFCA, REPO, Slapd, dca_csr, iso, rsa_key, run, wait_for
from refcalib.cli import parser  # beside refca; certlab has put it on the path
from sealgate import keypool
from sealgate.ports import PortBlock


@pytest.fixture(scope="module")
def ports():
    with PortBlock() as block:
        yield block.base


@pytest.fixture(scope="module")
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="sealgate-refca-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def ca(folder, ports):
    """Three years old, so that certificates may begin in the past."""
    return CA(folder / "ca", ports, "--name", "Test CA")


def refca(ca, *arguments):
    """A command of the program; many of one process, for starting it is what takes time."""
    process = batches.get(ca.folder)
    if process is None:
        process = batches[ca.folder] = subprocess.Popen(
            [REFCA, "--dir", ca.folder, "batch"], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(json.dumps([str(a) for a in arguments]) + "\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    return subprocess.CompletedProcess(arguments, answer["status"], answer["out"].encode(),
                                       answer["err"].encode())


batches = {}


def alone(ca, *arguments):
    """In a process of its own: the exit status."""
    return run(REFCA, "--dir", ca.folder, *arguments, check=False).returncode


@pytest.fixture(scope="module", autouse=True)
def batches_end():
    yield
    for process in batches.values():
        process.stdin.close()
        process.stdout.close()
        assert process.wait(10) == 0


def request(ca, domain, **options):
    path = ca.folder / f"{domain}.csr"
    path.write_bytes(dca_csr(domain, options.pop("key", None) or rsa_key(domain), **options))
    return path


def issue(ca, domain, *arguments, **options):
    """The chain's file and openssl's view of the leaf."""
    out = ca.folder / f"{domain}.pem"
    result = refca(ca, "issue", request(ca, domain, **options), "--out", out, *arguments)
    assert result.returncode == 0, result.stderr
    return out, run("openssl", "x509", "-in", out, "-noout", "-text").stdout.decode()


def refused(ca, words, *arguments):
    result = refca(ca, *arguments)
    assert result.returncode == 2
    assert result.stdout == b""
    message = result.stderr.decode()
    assert message.startswith("refca: ") and message.count("\n") == 1
    assert words in message


def crl(ca, name="ca.crl"):
    return run("openssl", "crl", "-inform", "der", "-in", ca.folder / name, "-noout",
               "-text").stdout.decode()


def verify(ca, chain, *arguments):
    lists = ca.folder / "lists.pem"
    lists.write_bytes(b"".join(
        run("openssl", "crl", "-inform", "der", "-in", ca.folder / name).stdout
        for name in ("ca.crl", "root.crl")))
    return run("openssl", "verify", "-x509_strict", "-CAfile", ca.folder / "root.pem",
               "-untrusted", chain, "-crl_check_all", "-CRLfile", lists, *arguments, chain,
               check=False)


def test_certificate(ca):
    """REQ-158, 160, 163, 164, 166."""
    chain, text = issue(ca, "a.test")
    for purpose in ("smimesign", "smimeencrypt"):
        result = verify(ca, chain, "-purpose", purpose)
        assert result.returncode == 0, result.stderr
    assert f"CN = {DCA}\n" in text
    assert f"X509v3 Subject Alternative Name: \n                email:{DCA}@a.test\n" in text
    assert "X509v3 Key Usage: critical\n                Digital Signature, Key Encipherment" in text
    assert "E-mail Protection" in text
    assert "CA:FALSE" in text
    assert f"URI:{ca.url}" in text
    assert "sha256WithRSAEncryption" in text
    assert chain.read_text().count("BEGIN CERTIFICATE") == 2
    # Not to be taken for a CA, nor for a server.
    assert verify(ca, chain, "-purpose", "sslserver").returncode != 0


def test_ca_certificates(ca):
    text = run("openssl", "x509", "-in", ca.folder / "issuing.pem", "-noout", "-text"
               ).stdout.decode()
    assert "CA:TRUE, pathlen:0" in text
    assert "Certificate Sign, CRL Sign" in text
    assert f"URI:{ca.url.replace('ca.crl', 'root.crl')}" in text
    for path in ca.folder.glob("*.key.pem"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(list(ca.folder.glob("*.key.pem"))) == 2


def test_root_only(folder, ports):
    alone = CA(folder / "alone", ports, "--root-only")
    chain, _ = issue(alone, "a.test")
    assert chain.read_text().count("BEGIN CERTIFICATE") == 1
    assert run("openssl", "verify", "-CAfile", alone.folder / "root.pem", "-crl_check", "-CRLfile",
               alone.folder / "ca.crl", chain, check=False).returncode == 0
    refused(alone, "holds a CA already", "init")


def test_keys_that_there_are(folder):
    """init and est-init take the files' keys in place of new ones; a file that is none is refused."""
    keys = [keypool.take() for _ in range(4)]
    own = folder / "own"
    (folder / "no-key").write_text("no key\n")
    refusal = run(REFCA, "--dir", own, "init", "--keys", folder / "no-key", check=False)
    assert refusal.returncode == 2 and b"no-key: no private key" in refusal.stderr
    run(REFCA, "--dir", own, "init", "--keys", *keys[:2])
    run(REFCA, "--dir", own, "est-init", "--keys", *keys[2:])
    for key, name in zip(keys, ("root.pem", "issuing.pem", "est-ca.pem", "est.pem")):
        assert run("openssl", "pkey", "-in", key, "-pubout").stdout == run(
            "openssl", "x509", "-in", own / name, "-noout", "-pubkey").stdout


def not_after(text):
    value = re.search(r"Not After : (.*) GMT", text)[1]
    return dt.datetime.strptime(value, "%b %d %H:%M:%S %Y")


def test_thirteen_months(ca):
    """REQ-160, by the calendar."""
    begin = dt.datetime(2026, 1, 31, 12)
    csr = request(ca, "months.test")
    refused(ca, "REQ-160", "issue", csr, "--not-before", iso(begin), "--not-after",
            "2027-02-28T12:00:01Z")
    refused(ca, "REQ-160", "issue", csr, "--days", "400")
    _, text = issue(ca, "months.test", "--not-before", iso(begin), "--not-after",
                    "2027-02-28T12:00:00Z")
    assert not_after(text) == dt.datetime(2027, 2, 28, 12)
    for month in (1, 2, 7, 12):  # what is given unasked is never too long
        begin = dt.datetime(2025, month, 28)
        leaf = ca.issue(f"m{month}.test", "--not-before", iso(begin))
        limit = dt.datetime(2026 + month // 12, month % 12 + 1, 28)
        assert limit - 8 * DAY < leaf.certificate.not_valid_after <= limit


def test_one_a_domain(ca):
    """REQ-163."""
    chain, _ = issue(ca, "one.test")
    csr = request(ca, "one.test")
    refused(ca, "REQ-163: one.test has certificate", "issue", csr)
    assert refca(ca, "issue", csr, "--overlap").returncode == 0
    issue(ca, "mail.one.test")  # a sub-domain is a domain
    issue(ca, "later.test", "--not-after", iso(NOW + 10 * DAY))
    assert refca(ca, "issue", request(ca, "later.test"), "--not-before",
                 iso(NOW + 11 * DAY)).returncode == 0
    revoked, _ = issue(ca, "gone.test")
    assert refca(ca, "revoke", revoked).returncode == 0
    assert refca(ca, "issue", request(ca, "gone.test")).returncode == 0
    assert chain.exists()


def test_key_of_four_years(folder, ports):
    """REQ-161: no new certificate then, and none that reaches beyond five."""
    old = CA(folder / "old", ports)
    refca_at = dt.datetime(2024, 1, 10)
    issue(old, "k.test", "--not-before", iso(refca_at), "--days", "10")
    csr = request(old, "k.test")
    refused(old, "REQ-161", "issue", csr, "--not-before", "2028-01-10T00:00:00Z")
    _, text = issue(old, "k.test", "--not-before", "2028-01-09T00:00:00Z")
    assert not_after(text) == dt.datetime(2029, 1, 10)
    refused(old, "REQ-161", "issue", csr, "--overlap", "--not-before", "2028-01-09T00:00:00Z",
            "--not-after", "2029-01-11T00:00:00Z")
    issue(old, "k.test", "--not-before", "2029-02-01T00:00:00Z", key=rsa_key("k2"))


def test_requests_that_are_refused(ca):
    """REQ-164, 166, and what a request has to prove."""
    key = rsa_key("r.test")
    for words, options in [
            ("1024 bits", {"key": rsa_key("small", 1024)}),
            ("secp521r1", {"key": ec.generate_private_key(ec.SECP521R1())}),
            ("sha1", {"digest": hashes.SHA1()}),
            ("REQ-164: the common name", {"common_name": "Agency"}),
            ("REQ-164: the address", {"address": "joe@r.test"}),
            ("names no domain", {"address": ""}),
            ("not a domain name", {"address": f"{DCA}@localhost"}),
            ("not a domain name", {"address": f"{DCA}@-r.test"})]:
        refused(ca, words, "issue", request(ca, "r.test", **{"key": key, **options}))
    csr = request(ca, "r.test", key=key)
    refused(ca, "REQ-163: one certificate is for one domain", "issue", csr, "--domain", "s.test")
    text = csr.read_text()
    (ca.folder / "bad.csr").write_text(text[:400] + ("A" if text[400] != "A" else "B") + text[401:])
    refused(ca, "request", "issue", ca.folder / "bad.csr")
    (ca.folder / "bad.csr").write_text("hello")
    refused(ca, "cannot be read", "issue", ca.folder / "bad.csr")
    refused(ca, "No such file", "issue", ca.folder / "none.csr")
    refused(ca, "this key belongs to", "issue", request(ca, "t.test", key=rsa_key("a.test")))


def test_request_without_names(ca):
    """The domain from the command, the names from the CA; DER too, and standard input."""
    csr = request(ca, "u.test", address="", common_name=None)
    der = run("openssl", "req", "-in", csr, "-outform", "der").stdout
    result = subprocess.run([REFCA, "--dir", ca.folder, "issue", "-", "--domain", "U.test"],
                            input=der, capture_output=True, check=True)
    text = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName"], check=True,
                          input=result.stdout, capture_output=True).stdout.decode()
    assert f"email:{DCA}@u.test" in text


def test_request_of_openssl(ca):
    csr = ca.folder / "o.csr"
    run("openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", ca.folder / "o.key",
        "-subj", f"/CN={DCA}/emailAddress={DCA}@o.test", "-out", csr)
    assert refca(ca, "issue", csr).returncode == 0


def test_revoke_suspend_restore(ca):
    chain, text = issue(ca, "v.test")
    serial = run("openssl", "x509", "-in", chain, "-noout", "-serial").stdout.decode()[7:].strip()
    assert f"Serial Number: {serial}" not in crl(ca)
    refused(ca, "not suspended", "restore", chain)
    assert refca(ca, "revoke", chain, "--reason", "certificateHold").returncode == 0
    entry = crl(ca).split(f"Serial Number: {serial}")[1].split("Serial Number")[0]
    assert "Certificate Hold" in entry
    assert "certificate revoked" in verify(ca, chain).stderr.decode()
    assert refca(ca, "restore", serial).returncode == 0
    assert f"Serial Number: {serial}" not in crl(ca)
    assert verify(ca, chain).returncode == 0
    assert refca(ca, "revoke", serial.lower(), "--reason", "keyCompromise").returncode == 0
    assert "Key Compromise" in crl(ca).split(f"Serial Number: {serial}")[1]
    refused(ca, "revoked already", "revoke", serial)
    refused(ca, "only a suspended certificate", "restore", serial)
    refused(ca, "no certificate with serial number", "revoke", "1234")
    # A compromised key does not come back (REQ-174).
    refused(ca, "compromised", "issue", request(ca, "v.test"))
    assert "Version: 3" in text


def test_crl(ca):
    def number():
        return int(re.search(r"CRL Number: \n +(\d+)", crl(ca))[1])

    before = number()
    assert refca(ca, "crl", "--this-update", "2026-01-01T00:00:00Z", "--next-update",
                 "2026-01-02T00:00:00Z").returncode == 0
    assert "Last Update: Jan  1 00:00:00 2026 GMT" in crl(ca)
    assert "Next Update: Jan  2 00:00:00 2026 GMT" in crl(ca, "root.crl")
    assert number() == before + 1
    refused(ca, "cannot expire before it begins", "crl", "--this-update", "2026-01-01",
            "--next-update", "2025-12-31")
    assert refca(ca, "crl", "--hours", "1").returncode == 0
    assert "Version 2" in crl(ca)
    assert refca(ca, "crl", "--number", "500").returncode == 0
    assert number() == 500
    refused(ca, "number 500 already", "crl", "--number", "500")
    assert refca(ca, "crl").returncode == 0 and number() == 501


def test_back_from_a_backup(ca):
    """What ca.db has lost is entered again, and can be revoked."""
    backup = ca.folder / "backup.db"
    shutil.copy(ca.folder / "ca.db", backup)
    chain, _ = issue(ca, "lost.test")
    shutil.copy(backup, ca.folder / "ca.db")
    refused(ca, "no certificate with serial number", "revoke", chain)
    for _ in range(2):
        assert refca(ca, "adopt", chain).returncode == 0
    refused(ca, "REQ-163: lost.test has", "issue", request(ca, "lost.test"))
    serial = refca(ca, "revoke", chain).stdout.decode().strip()
    assert f"Serial Number: {serial.upper().rjust(len(serial) + len(serial) % 2, '0')}" in crl(ca)
    refused(ca, "not issued by this CA", "adopt", ca.forge("x.test", issuer="root").path)
    refused(ca, "not a certificate", "adopt", ca.folder / "issuing.pem")
    refused(ca, "not a certificate", "adopt", ca.folder / "ca.crl")


def test_without_crl_url(folder):
    """REQ-158: not without a distribution point."""
    nameless = folder / "nameless"
    run(REFCA, "--dir", nameless, "init", "--bits", "2048")
    csr = folder / "n.csr"
    csr.write_bytes(dca_csr("n.test", rsa_key("n.test")))
    result = run(REFCA, "--dir", nameless, "issue", csr, check=False)
    assert result.returncode == 2 and b"REQ-158" in result.stderr
    result = run(REFCA, "--dir", folder / "nowhere", "list", check=False)
    assert result.returncode == 2 and b"holds no CA" in result.stderr


def test_many_processes(ca):
    """The state is one: of many who ask at once for one domain one gets it, and no CRL is torn."""
    csr = request(ca, "race.test")
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda _: alone(ca, "issue", csr), range(6)))
    assert sorted(results) == [0, 2, 2, 2, 2, 2]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: alone(ca, "crl"), range(4))) == {0}
    assert "Version 2" in crl(ca)
    assert not [p for p in ca.folder.iterdir() if p.name.startswith(".")]


def test_batch(ca):
    """Many commands of one process; what one does wrong does not end the others."""
    lines = [["list"], ["issue", "-"], ["revoke"], ["list"]]
    result = subprocess.run([REFCA, "--dir", ca.folder, "batch"], capture_output=True, check=True, text=True,
                            input="".join(json.dumps(line) + "\n" for line in lines))
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["status"] for answer in answers] == [0, 2, 2, 0]
    assert answers[0]["out"] == answers[3]["out"] == refca(ca, "list").stdout.decode()
    assert answers[1]["err"].startswith("refca: ") and "required: SERIAL|FILE" in answers[2]["err"]
    assert result.stderr == ""


def test_server(ca):
    def get(name):
        with urllib.request.urlopen(f"http://127.0.0.1:{ca.port}/{name}", timeout=5) as answer:
            return answer.headers["Content-Type"], answer.read()

    ca.server.start()
    try:
        assert (ca.folder / "serve.pid").read_text() == f"{ca.server.process.pid}\n"
        assert get("ca.crl") == ("application/pkix-crl", (ca.folder / "ca.crl").read_bytes())
        assert get("issuing.cer")[0] == "application/pkix-cert"
        refca(ca, "crl")  # read anew for each request
        assert get("ca.crl")[1] == (ca.folder / "ca.crl").read_bytes()
        for name in ("root.key.pem", "issuing.key.pem", "ca.db", "../ca/ca.db", "%2e%2e/ca/ca.db",
                     "", "serve.pid"):
            with pytest.raises(urllib.error.HTTPError) as error:
                get(name)
            assert error.value.code == 404
        refused(ca, "cannot listen", "serve", "--port", str(ca.port))
    finally:
        ca.server.stop()
    assert not (ca.folder / "serve.pid").exists()


def test_server_refreshes(ca):
    before = (ca.folder / "ca.crl").read_bytes()
    server = subprocess.Popen([REFCA, "--dir", ca.folder, "serve", "--port", str(ca.port),
                               "--quiet", "--refresh", "0.002"], stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: (ca.folder / "ca.crl").read_bytes() != before)
    finally:
        server.terminate()
        assert server.wait(10) == 0


def test_directory(folder, ports):
    """REQ-159, 168, 169, 190, 194: what is valid stands there, and nothing else."""
    ca = CA(folder / "published", ports, "--name", "Published CA")
    slapd = Slapd(folder / "ldap", ports + 1, ports + 2)
    slapd.server.start()
    try:
        first, _ = issue(ca, "p.test")
        issue(ca, "q.test")
        issue(ca, "old.test", "--not-before", iso(NOW - 30 * DAY), "--not-after", iso(NOW - DAY))
        tls = ["--ldap-url", slapd.tls_url, "--ca-file", slapd.certificate, *slapd.bind[2:]]
        end = time.monotonic() + 20
        done = refca(ca, "publish", *tls)
        while done.returncode and time.monotonic() < end:  # the directory takes TLS a little later
            done = refca(ca, "publish", *tls)
        assert done.stdout == b"old.test 0\np.test 1\nq.test 1\n", done.stderr

        def entry(domain):  # as REQ-53 has a gateway ask
            return slapd.search(f"(mail={DCA}@{domain})", "userCertificate;binary")

        assert entry("p.test").count("userCertificate;binary::") == 1
        der = run("openssl", "x509", "-in", first, "-outform", "der").stdout
        import base64
        assert base64.b64encode(der).decode() in entry("p.test")
        assert entry("old.test") == ""

        assert refca(ca, "issue", request(ca, "p.test"), "--overlap").returncode == 0
        refca(ca, "publish", *slapd.bind, "--domain", "p.test")
        assert entry("p.test").count("userCertificate;binary::") == 2
        refca(ca, "revoke", first)
        refca(ca, "publish", *slapd.bind)
        assert entry("p.test").count("userCertificate;binary::") == 1
        assert base64.b64encode(der).decode() not in entry("p.test")
        assert base64.b64encode((ca.folder / "ca.crl").read_bytes()).decode() in slapd.search(
            "(objectClass=pkiCA)", "certificateRevocationList;binary")
        assert refca(ca, "unpublish", *slapd.bind, "q.test").returncode == 0
        assert entry("q.test") == ""
        assert entry("p.test") != ""

        for _ in range(2):
            assert refca(ca, "list-add", *slapd.bind, "SEEMAIL2", "p.test", "Q.test"
                         ).returncode == 0
        members = slapd.search("(cn=SEEMAIL2)", "rfc822MailMember", "description")
        assert re.findall("rfc822MailMember: (.*)", members) == ["*@p.test", "*@q.test"]
        assert "description: 1\n" in members
        assert refca(ca, "list-remove", *slapd.bind, "SEEMAIL2", "p.test").returncode == 0
        assert "*@p.test" not in slapd.search("(cn=SEEMAIL2)", "rfc822MailMember")

        wrong = folder / "wrong"
        wrong.write_text("wrong")
        refused(ca, "invalidCredentials", "publish", "--ldap-url", slapd.url, "--bind-dn",
                "cn=admin,c=NZ", "--password-file", wrong)
        refused(ca, "certificate verify failed", "publish", "--ldap-url", slapd.tls_url,
                "--ca-file", ca.folder / "root.pem", *slapd.bind[2:])
    finally:
        slapd.server.stop()
    refused(ca, "127.0.0.1", "publish", *slapd.bind)


def test_lists(folder, ports):
    """REQ-190: members and version in one operation; ten thousand of them; two at once."""
    ca = CA(folder / "lists", ports, "--name", "Lists CA")
    slapd = Slapd(folder / "lists-ldap", ports + 1, ports + 2)
    slapd.server.start()

    def change(command, name, *arguments):
        result = refca(ca, command, *slapd.bind, name, *arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout.decode()

    def show(name):
        return json.loads(change("list-show", name))

    try:
        for name in ("SEEMAIL2", "SECUREMAIL1", "WORKSPACE", "SEEMAIL2TEST", "SECUREMAIL1TEST"):
            assert change("list-add", name, "B.test", "a.test") == \
                f"{name} version 1: 2 added, 0 removed\n"
            assert show(name) == {"list": name, "version": 1, "members": ["a.test", "b.test"]}
        assert "version 1: 0 added, 0 removed" in change("list-add", "WORKSPACE", "a.test")
        assert "version 2: 0 added, 1 removed" in change("list-remove", "WORKSPACE", "a.test")
        assert "version 40: 1 added" in change("list-add", "WORKSPACE", "c.test", "--version", "40")
        many = folder / "many"
        many.write_text("# all\n" + "".join(f"m{i:05}.test\n" for i in range(10_000)))
        begin = time.monotonic()
        assert "version 2: 10000 added, 2 removed" in change("list-set", "SEEMAIL2", "--file", many)
        assert "version 3: 0 added, 1 removed" in change("list-remove", "SEEMAIL2", "m00500.test")
        assert time.monotonic() - begin < 10
        assert len(show("SEEMAIL2")["members"]) == 9_999
        refused(ca, "--empty", "list-set", *slapd.bind, "SEEMAIL2")
        assert "version 4: 0 added, 9999 removed" in change("list-set", "SEEMAIL2", "--empty")
        assert show("SEEMAIL2")["members"] == []
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            assert set(pool.map(lambda i: alone(ca, "list-add", *slapd.bind, "SEEMAIL2", f"c{i}.test"),
                                range(12))) == {0}
        assert show("SEEMAIL2")["version"] == 16 and len(show("SEEMAIL2")["members"]) == 12
        refused(ca, "no list is called", "list-add", *slapd.bind, "SEMAIL2", "a.test")
        refused(ca, "not a domain name", "list-add", *slapd.bind, "SEEMAIL2", "a")
        refused(ca, "no domain is named", "list-add", *slapd.bind, "SEEMAIL2")
        refused(ca, "there is no list", "list-show", *slapd.bind, "SEEMAIL3")
    finally:
        slapd.server.stop()


def test_clock_file(ca, folder):
    """A year on: what was issued then begins then, and lists are made for then."""
    clock = folder / "clock"
    clock.write_text(f"{365 * 86400}\n")
    out = folder / "clock.pem"
    assert refca(ca, "--clock-file", clock, "issue", request(ca, "clock.test"), "--out", out
                 ).returncode == 0
    text = run("openssl", "x509", "-in", out, "-noout", "-startdate").stdout.decode()
    begin = dt.datetime.strptime(text.strip(), "notBefore=%b %d %H:%M:%S %Y GMT")
    assert abs(begin - (dt.datetime.utcnow() + 365 * DAY)) < dt.timedelta(minutes=5)
    for content in ("", "nonsense\n"):  # no offset, as in the daemons
        clock.write_text(content)
        assert refca(ca, "--clock-file", clock, "crl").returncode == 0
        updated = re.search(r"Last Update: (.*) GMT", crl(ca))[1]
        assert abs(dt.datetime.strptime(updated, "%b %d %H:%M:%S %Y") - dt.datetime.utcnow()
                   ) < dt.timedelta(minutes=5)


def test_help_names_every_command(ca):
    text = refca(ca, "--help").stdout.decode()
    for command in ("init", "issue", "revoke", "restore", "crl", "serve", "list", "publish",
                    "unpublish", "list-add", "list-remove", "list-set", "list-show", "est-init",
                    "account-add", "pending", "approve", "refuse", "revocations"):
        assert re.search(rf"^    {command}\s", text, re.M)
    assert os.access(REFCA, os.X_OK)


def test_a_store_of_before_est(folder, ports):
    """It gets what came later where it is opened first, and is read by its user alone from then on."""
    old = CA(folder / "before", ports)
    chain, _ = issue(old, "a.test")
    with contextlib.closing(sqlite3.connect(old.folder / "ca.db")) as db:
        for table in ("credential", "account", "enrolment", "revocation", "publication"):
            db.execute(f"DROP TABLE {table}")
        db.execute("PRAGMA user_version = 0")
        db.commit()
    (old.folder / "ca.db").chmod(0o644)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: alone(old, "account-list"), range(4))) == {0}
    assert stat.S_IMODE((old.folder / "ca.db").stat().st_mode) == 0o600
    assert refca(old, "revoke", chain).returncode == 0
    assert refca(old, "revocations").stdout.count(b"\n") == 1


@pytest.mark.parametrize("document", ["docs/operations/ca.md", "tools/refca/README.md"])
def test_documented_commands(document):
    """Each refca command in a document is one."""
    values = {"$CA": "ca", "DIR": "ca", "PORT": "1", "EST": "2",
              "$LDAP": "--ldap-url ldap://h --bind-dn d --password-file f", 
              "--ldap-url … --bind-dn … --password-file …": "$LDAP", "list-set …": "list-set $LDAP"}
    text = (REPO / document).read_text().replace("\\\n", " ").replace("[", "").replace("]", "")
    blocks = "\n".join(re.findall(r"(?ms)^ *```sh\n(.*?)^ *```", text))
    commands = re.findall(r"(?m)^ *(refca --dir .*)$", blocks)
    assert len(commands) > 8
    for command in commands:
        command = command.replace("--est-port EST", "--est-port 2")
        for name, value in [*values.items(), *values.items()]:
            command = re.sub(rf"{re.escape(name)}(?![\w-])", value, command)
        arguments = shlex.split(command, comments=True)[1:]
        arguments = arguments[:-1] if arguments[-1] == "&" else arguments
        assert parser().parse_args(arguments).function, command
