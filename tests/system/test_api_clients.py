"""REQ-138: API clients: tokens exchanged without a pause, TLS client certificates, both together, and the end
of all at once. TLS is real, its certificates are made by openssl."""
import contextlib
import http.client
import json
import re
import signal
import socket
import ssl
import subprocess

import pytest

from apienv import Client, Platform, Reply
from sealgate import keypool
from sealgate.process import wait_for


def openssl(folder, *arguments):
    subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True)


class Authority:
    """A CA, and certificates from it, in files NAME.pem and NAME.key."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        openssl(folder, "req", "-x509", *keypool.request(folder / f"{name}.key"), "-days", 30, "-subj",
                f"/CN={name}", "-out", f"{name}.pem", "-addext", "keyUsage=keyCertSign")

    def issue(self, name, use, days=30, subject_alternative="DNS:localhost,IP:127.0.0.1"):
        f = self.folder
        openssl(f, "req", *keypool.request(f / f"{name}.key"), "-subj", f"/CN={name}", "-out", f"{name}.csr")
        (f / "ext").write_text(f"extendedKeyUsage={use}\nsubjectAltName={subject_alternative}\n")
        openssl(f, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{self.name}.pem", "-CAkey",
                f"{self.name}.key", "-days", days, "-extfile", "ext", "-out", f"{name}.pem")
        (f / f"{name}.key").chmod(0o600)
        return name

    def fingerprint(self, name):
        """As openssl prints it: upper case, with colons."""
        return subprocess.run(["openssl", "x509", "-in", f"{name}.pem", "-noout", "-fingerprint", "-sha256"],
                              cwd=self.folder, check=True, capture_output=True,
                              text=True).stdout.strip().split("=")[1]


class TlsClient(Client):
    """The same client over TLS, perhaps with a certificate."""

    def __init__(self, platform, certificate=None, token=None):
        super().__init__(platform.tls_port, token)
        self.context = ssl.create_default_context(cafile=platform.dir / "server-ca.pem")
        if certificate:
            self.context.load_cert_chain(platform.dir / f"{certificate}.pem", platform.dir / f"{certificate}.key")

    def raw(self, method, path, body=None, headers=None):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=self.context)
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers=headers or {})
            return Reply(connection.getresponse())


@pytest.fixture(scope="module")
def platform():
    with Platform(tenantd=False, hsm=False) as p:
        p.tls_port = p.ports.base + 2
        p.server_ca, p.client_ca = Authority(p.dir, "server-ca"), Authority(p.dir, "client-ca")
        p.server_ca.issue("server", "serverAuth")
        p.stop("apid")
        config = p.dir / "apid.conf"
        text = config.read_text().replace("listen = ", f"listen = tls:127.0.0.1:{p.tls_port} ")
        config.write_text(f"{text}[tls]\ncertificate_file = {p.dir}/server.pem\nkey_file = {p.dir}/server.key\n"
                          f"client_ca_file = {p.dir}/client-ca.pem\n")
        p.apid_start()
        yield p


@pytest.fixture(scope="module")
def provider(platform):
    return platform.client()


@pytest.fixture(scope="module")
def billing(platform, provider):
    """A client with one certificate."""
    platform.client_ca.issue("billing", "clientAuth")
    made = provider.call("POST", "/v1/api-clients", {"name": "Billing", "role": "billing"}, expect=201)
    assert provider.get(made.headers["Location"]) == made.json
    path = f"/v1/api-clients/{made.json['id']}"
    provider.post(f"{path}/certificates", {"fingerprint": platform.client_ca.fingerprint("billing"),
                                           "description": "billing host"})
    return path


def test_clients(provider, billing):
    client = provider.get(billing)
    assert client["state"] == "active" and client["scope"] is None and client["tenant_id"] is None
    assert client in provider.pages("/v1/api-clients", limit=1)
    renamed = provider.call("PATCH", billing, {"name": "Billing system"}, expect=200).json
    assert renamed["name"] == "Billing system" and renamed["state"] == "active"
    for body, pointer in (({"name": "x", "role": "tenant-admin"}, "/tenant_id"),
                          ({"name": "x", "role": "king"}, "/role"),
                          ({"name": "x", "role": "billing", "scope": "keys:write"}, "/scope"),
                          ({"name": "x", "role": "billing", "scope": "keys"}, "/scope")):
        assert provider.post("/v1/api-clients", body, expect=422)["pointer"] == pointer
    assert provider.call("PATCH", billing, {"state": "asleep"}, expect=422).json["pointer"] == "/state"


def test_a_certificate_alone(platform, provider, billing):
    tls = TlsClient(platform, "billing")
    tls.get("/v1/tenants")
    tls.get("/v1/tokens", expect=403)
    made = provider.post("/v1/tenants", {"name": "seen by billing"})
    assert made in tls.pages("/v1/tenants")
    line = next(e for e in reversed(platform.events("apid", "request")) if e.get("client"))
    assert line["client"] == billing.split("/")[-1] and "token" not in line


def test_certificates_that_are_no_good(platform, provider, billing):
    """Of another CA, expired, for servers, of nobody: as if none had been shown."""
    ca = platform.client_ca
    other = Authority(platform.dir, "other-ca")
    for name, issuer, use, days in (("foreign", other, "clientAuth", 30), ("old", ca, "clientAuth", -1),
                                    ("wrong-use", ca, "serverAuth", 30), ("stranger", ca, "clientAuth", 30)):
        issuer.issue(name, use, days)
        if name != "stranger":
            provider.post(f"{billing}/certificates", {"fingerprint": issuer.fingerprint(name)})
        problem = TlsClient(platform, name).get("/v1/tenants", expect=401)
        words = "the certificate is no client's" if name == "stranger" else "a valid bearer token is needed"
        assert problem["detail"] == words, name
    assert TlsClient(platform).get("/v1/tenants", expect=401)["detail"] == "a valid bearer token is needed"
    # A token needs no certificate, and a strange one does it no harm.
    for name in (None, "stranger", "foreign"):
        TlsClient(platform, name, platform.token).get("/v1/tenants")
    for c in provider.pages(f"{billing}/certificates", limit=1):
        if c["description"] == "":
            provider.delete(f"{billing}/certificates/{c['id']}")
    assert len(provider.get(f"{billing}/certificates")["data"]) == 1


def test_a_certificate_is_one_client_s(platform, provider, billing):
    other = provider.post("/v1/api-clients", {"name": "Other", "role": "auditor"})
    path = f"/v1/api-clients/{other['id']}/certificates"
    body = {"fingerprint": platform.client_ca.fingerprint("billing")}
    assert provider.post(path, body, expect=409)["pointer"] == "/fingerprint"
    assert provider.post(path, {"fingerprint": "x"}, expect=422)["pointer"] == "/fingerprint"


def test_rotation(platform, provider, billing):
    """Two valid tokens at a time: the next is in use before the last one ends."""
    tokens = [provider.post(f"{billing}/tokens", {}) for _ in range(2)]
    assert all(t["name"] == "Billing system" and t["client_id"] == billing.split("/")[-1] for t in tokens)
    problem = provider.post(f"{billing}/tokens", {}, expect=409)
    assert problem["detail"] == "the client has 2 valid tokens: revoke one of them first"
    clients = [platform.client(t["token"]) for t in tokens]
    for client in clients:
        client.get("/v1/tenants")
    provider.delete(f"{billing}/tokens/{tokens[0]['id']}")
    clients[0].get("/v1/tenants", expect=401)
    clients[1].get("/v1/tenants")
    third = provider.post(f"{billing}/tokens", {"expires_in_days": 1, "scope": "usage:read"})
    platform.client(third["token"]).get("/v1/tenants", expect=403)
    listed = provider.pages(f"{billing}/tokens", limit=2)
    assert [t["id"] for t in listed] == [tokens[0]["id"], tokens[1]["id"], third["id"]]
    for t in tokens[1], third:
        provider.delete(f"{billing}/tokens/{t['id']}")
    # Not through another client's path.
    other = provider.post("/v1/api-clients", {"name": "Another", "role": "auditor"})
    provider.delete(f"/v1/api-clients/{other['id']}/tokens/{third['id']}", expect=404)


def test_a_bound_token(platform, provider, billing):
    """RFC 8705 §3: stolen, it is worth nothing without the client's key."""
    made = provider.post(f"{billing}/tokens", {"bound": True})
    assert made["bound"] is True
    platform.client_ca.issue("another", "clientAuth")
    other = provider.post("/v1/api-clients", {"name": "Holder of another", "role": "auditor"})
    provider.post(f"/v1/api-clients/{other['id']}/certificates",
                  {"fingerprint": platform.client_ca.fingerprint("another")})
    TlsClient(platform, "billing", made["token"]).get("/v1/tenants")
    for client in (platform.client(made["token"]), TlsClient(platform, None, made["token"]),
                   TlsClient(platform, "another", made["token"])):
        problem = client.get("/v1/tenants", expect=401)
        assert problem["detail"] == "the token is good only with a certificate of its client"
    provider.delete(f"{billing}/tokens/{made['id']}")


def test_a_client_of_a_tenant(platform, provider):
    tenants = [platform.tenant(f"client-{n}") for n in "ab"]
    platform.client_ca.issue("portal", "clientAuth")
    made = provider.post("/v1/api-clients", {"name": "Portal", "role": "tenant-admin", "scope": "domains:read",
                                             "tenant_id": tenants[0].id})
    path = f"/v1/api-clients/{made['id']}"
    provider.post(f"{path}/certificates", {"fingerprint": platform.client_ca.fingerprint("portal")})
    tls = TlsClient(platform, "portal")
    assert len(tls.get(f"{tenants[0].path}/domains")["data"]) == 1
    tls.get(f"{tenants[0].path}/held", expect=403)
    tls.get(f"{tenants[1].path}/domains", expect=404)
    tls.get("/v1/tenants", expect=404)
    assert provider.post(f"{path}/tokens", {"scope": "held:read"}, expect=422)["pointer"] == "/scope"
    token = provider.post(f"{path}/tokens", {})
    assert token["scope"] == "domains:read" and token["tenant_id"] == tenants[0].id


def test_disabled_at_once(platform, provider, billing):
    """REQ-140: access ends with the next request, on connections that are open too."""
    token = provider.post(f"{billing}/tokens", {})
    context = TlsClient(platform, "billing").context
    connection = http.client.HTTPSConnection("127.0.0.1", platform.tls_port, timeout=30, context=context)
    with contextlib.closing(connection):
        def status():
            connection.request("GET", "/v1/tenants")
            reply = connection.getresponse()
            reply.read()
            return reply.status

        assert status() == 200
        provider.call("PATCH", billing, {"state": "disabled"}, expect=200)
        assert status() == 401
        problem = platform.client(token["token"]).get("/v1/tenants", expect=401)
        assert problem["detail"] == "the client is disabled"
        provider.call("PATCH", billing, {"state": "active"}, expect=200)
        assert status() == 200
    provider.delete(f"{billing}/tokens/{token['id']}")


def test_nobody_hands_on_more_than_he_has(platform, provider):
    """Who may manage clients may not get more by one: no token, no certificate, no enabling."""
    maker = platform.client(provider.post("/v1/tokens", {
        "name": "maker", "role": "provider-admin", "scope": "clients:write usage:read"})["token"])
    strong = provider.post("/v1/api-clients", {"name": "Strong", "role": "provider-admin"})
    path = f"/v1/api-clients/{strong['id']}"
    maker.post("/v1/api-clients", {"name": "x", "role": "provider-admin"}, expect=403)
    maker.post(f"{path}/tokens", {"scope": "keys:read"}, expect=403)
    maker.post(f"{path}/tokens", {"scope": "usage:read"}, expect=403)
    maker.post(f"{path}/certificates", {"fingerprint": "ab" * 32}, expect=403)
    maker.call("PATCH", path, {"state": "disabled"}, expect=200)
    maker.call("PATCH", path, {"state": "active"}, expect=403)
    weak = maker.post("/v1/api-clients", {"name": "Weak", "role": "billing", "scope": "usage:read"})
    maker.post(f"/v1/api-clients/{weak['id']}/tokens", {})


def test_tls_itself(platform):
    """TLS 1.2 and later alone; plain HTTP gets nothing; a silent client does not hold the others up."""
    context = ssl.create_default_context(cafile=platform.dir / "server-ca.pem")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", platform.tls_port)) as s, \
            context.wrap_socket(s, server_hostname="localhost") as tls:
        assert tls.version() == "TLSv1.2" and re.search("GCM|CHACHA", tls.cipher()[0])
    old = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{platform.tls_port}", "-tls1_1",
                          "-cipher", "DEFAULT@SECLEVEL=0"], input="", capture_output=True, text=True, timeout=20)
    assert "Cipher is (NONE)" in old.stdout
    with socket.create_connection(("127.0.0.1", platform.tls_port)) as silent:
        TlsClient(platform, None, platform.token).get("/v1/tenants")
        silent.sendall(b"GET / HTTP/1.1\r\n\r\n")
        silent.settimeout(20)
        with contextlib.suppress(ConnectionError):
            assert b"HTTP" not in silent.recv(4096)


def copy(platform, name, to):
    """Certificate and key of that name in the place of the server's."""
    for kind in ("pem", "key"):
        (platform.dir / f"{to}.{kind}").write_bytes((platform.dir / f"{name}.{kind}").read_bytes())


def shown(platform):
    """The certificate that a new connection is shown; DER."""
    with socket.create_connection(("127.0.0.1", platform.tls_port), 20) as s, \
            TlsClient(platform).context.wrap_socket(s, server_hostname="localhost") as tls:
        return tls.getpeercert(binary_form=True)


def reloads(platform, event):
    """SIGHUP; the line that tells what came of it."""
    before = len(platform.events("apid", event))
    platform.processes["apid"].send_signal(signal.SIGHUP)
    return wait_for(lambda: platform.events("apid", event)[before:], 20, event)[0]


def test_certificates_are_read_anew(platform, provider, billing):
    """SIGHUP: new connections get the new certificate and CA, open ones go on; a bad file changes nothing."""
    copy(platform, "server", "first")
    platform.server_ca.issue("renewed", "serverAuth")
    old = shown(platform)
    connection = http.client.HTTPSConnection("127.0.0.1", platform.tls_port, timeout=30,
                                             context=TlsClient(platform, "billing").context)
    with contextlib.closing(connection):
        def status():
            connection.request("GET", "/v1/tenants")
            reply = connection.getresponse()
            reply.read()
            return reply.status

        assert status() == 200
        socket_before = connection.sock
        copy(platform, "renewed", "server")
        reloads(platform, "reload.tls")
        new = shown(platform)
        assert new != old
        assert ssl.PEM_cert_to_DER_cert((platform.dir / "renewed.pem").read_text()) == new
        for name, bad in (("server.pem", b"-----BEGIN CERTIFICATE-----\n"), ("server.pem", None),
                          ("server.key", (platform.dir / "first.key").read_bytes()),
                          ("client-ca.pem", b"nothing")):
            path = platform.dir / name
            good = path.read_bytes()
            path.unlink()
            if bad:
                path.touch(0o600)
                path.write_bytes(bad)
            assert "TLS" in (said := reloads(platform, "reload.failed"))["detail"] or "cannot read" in said["detail"]
            path.write_bytes(good)
            path.chmod(0o600)
            assert shown(platform) == new
            TlsClient(platform, "billing").get("/v1/tenants")

        # The clients' CA: those of the former one are nobody's now.
        further = Authority(platform.dir, "next-ca")
        further.issue("next-billing", "clientAuth")
        provider.post(f"{billing}/certificates", {"fingerprint": further.fingerprint("next-billing"),
                                                  "description": "billing host"})
        kept = (platform.dir / "client-ca.pem").read_bytes()
        (platform.dir / "client-ca.pem").write_bytes((platform.dir / "next-ca.pem").read_bytes())
        TlsClient(platform, "next-billing").get("/v1/tenants", expect=401)
        reloads(platform, "reload.tls")
        TlsClient(platform, "next-billing").get("/v1/tenants")
        TlsClient(platform, "billing").get("/v1/tenants", expect=401)
        assert status() == 200 and connection.sock is socket_before  # never closed meanwhile
        (platform.dir / "client-ca.pem").write_bytes(kept)
        reloads(platform, "reload.tls")
        TlsClient(platform, "billing").get("/v1/tenants")


def test_configuration(platform):
    text = (platform.dir / "apid.conf").read_text()
    (platform.dir / "open.key").write_text((platform.dir / "server.key").read_text())
    (platform.dir / "open.key").chmod(0o644)
    for change, words in ((("server.key", "open.key"), "may be read by others"),
                          (("server.key", "none.key"), "cannot read"),
                          (("server.key", "client-ca.key"), "TLS certificate and key"),
                          (("client-ca.pem", "billing.csr"), "TLS client CA")):
        config = platform.write("bad.conf", text.replace(*change).replace(
            f"inet:127.0.0.1:{platform.port} unix:{platform.dir}/apid.sock", "").replace(
            f"tls:127.0.0.1:{platform.tls_port}", f"tls:127.0.0.1:{platform.ports.base + 3}"))
        done = subprocess.run([platform.program("apid"), "-c", config], capture_output=True, text=True, timeout=30)
        assert done.returncode == 1 and words in json.loads(done.stderr.splitlines()[-1])["detail"], done.stderr
    wait_for(lambda: platform.alive("apid"), 5, "apid")
