"""Organisations through the front door: REST API, HSM, CA, directory. Looks before it makes."""
import secrets

from .layout import TENANT, GROUP
from .directory import run
from .process import wait_for

ENVIRONMENT_LISTS = {"seemail": "SEEMAIL2", "securemail": "SECUREMAIL1"}


def ensure(api, path, look, body=None):
    """The row of a list with these fields, made where there is none."""
    row = api.find(path, **look)
    return row if row else api.post(path, {**look, **(body or {})})


class Organisation:
    """One tenant with one domain; .tenant, .domain, .key, .certificate are the API's objects."""

    def __init__(self, platform, name, domain, network=None, fingerprint=None,
                 next_hop_port=None, environment="seemail", key_kind="token",
                 algorithm="rsa-2048", tls="none"):
        self.platform, self.api = platform, platform.api
        self.name, self.domain_name, self.network = name, domain, network
        self.fingerprint, self.next_hop_port = fingerprint, next_hop_port
        self.environment, self.key_kind = environment, key_kind
        self.algorithm, self.tls = algorithm, tls
        self.tenant = self.domain = self.key = self.certificate = None

    @property
    def path(self):
        return f"/v1/tenants/{self.tenant['id']}"

    @property
    def domain_path(self):
        return f"{self.path}/domains/{self.domain['id']}"

    def provision(self, say=lambda text: None):
        """All of it: afterwards the domain signs, decrypts and is found in the directory."""
        self.configure(say)
        self.make_key(say)
        self.certify(say)
        self.publish(say)
        return self

    def known(self):
        """This one, looked up where all of it was done before; else None."""
        self.tenant = self.api.find("/v1/tenants", name=self.name)
        if self.tenant is None:
            return None
        self.domain = self.api.find(f"{self.path}/domains", name=self.domain_name)
        self.key = self.api.find(f"{self.domain_path}/keys", state="active")
        self.certificate = self.api.find(f"{self.domain_path}/certificates", state="active",
                                         key_id=self.key["id"])
        return self

    def order(self, say=lambda text: None, wait=True):
        """The way a billing system goes: one call, and a TXT record where the domain's DNS is. The rest
        (proof, key, certificate) is done by the platform; wait=False comes back before it is."""
        found = self.api.find("/v1/tenants", name=self.name)
        if found is None:
            hop = {"protocol": "smtp", "host": "127.0.0.1", "port": self.next_hop_port,
                   "tls": self.tls}
            made = self.api.post("/v1/provisioning", {
                "tenant": {"name": self.name},
                "domains": [{"name": self.domain_name, "environment": self.environment,
                             **({"next_hop": hop} if self.next_hop_port else {})}],
                "submitters": [{"kind": "network", "network": self.network}]
                if self.network else []})
            self.tenant, self.domain = made["tenant"], made["domains"][0]["domain"]
            say(f"{self.domain_name}: ordered, tenant {self.tenant['id']}, domain "
                f"{self.domain['state']}")
            challenge = self.api.get(f"{self.domain_path}/verification")["challenge"]
            self.platform.dns.set_txt(challenge["name"], challenge["value"])
            say(f"{self.domain_name}: {challenge['name']} TXT {challenge['value'][:20]}…")
            # It is looked for by itself too, in longer and longer steps.
            self.api.post(f"{self.domain_path}/verification/check")
        else:
            self.tenant = found
            self.domain = self.api.find(f"{self.path}/domains", name=self.domain_name)
        if wait:
            self.ordered(say)
        return self

    def ordered(self, say=lambda text: None, timeout=60):
        """Waits until what was ordered is there: proved, certified, in the directory, on the list."""
        def proved():
            state = self.api.get(f"{self.domain_path}/verification")
            return state if state["state"] == "verified" else None

        state = wait_for(proved, timeout, f"{self.domain_name} to be verified")
        say(f"{self.domain_name}: verified, the answer was DNSSEC {state['dnssec']}")
        path = f"{self.domain_path}/certificates"
        self.certificate = wait_for(lambda: self.api.find(path, state="active"), timeout,
                                    f"{self.domain_name}'s certificate")
        self.key = self.api.get(f"{self.domain_path}/keys/{self.certificate['key_id']}")
        say(f"{self.domain_name}: key {self.key['id']} made in the HSM, certificate "
            f"{self.certificate['serial']} issued by the CA over EST")
        self.join(say)

    def join(self, say=lambda text: None):
        """The scheme's administrator puts it on the accredited list, which tenantd reads."""
        name = ENVIRONMENT_LISTS[self.environment]
        if self.api.find("/v1/member-domains", name=self.domain_name) is None:
            self.platform.refca.list_add(name, self.domain_name)
            self.api.post("/v1/lists/sync")
            wait_for(lambda: self.api.find("/v1/member-domains", name=self.domain_name), 30,
                     f"{self.domain_name} on the list {name}")
        say(f"{self.domain_name}: on the list {name}")

    def configure(self, say=lambda text: None):
        """Tenant, domain, who submits, where its mail goes."""
        api = self.api
        self.tenant = ensure(api, "/v1/tenants", {"name": self.name})
        self.domain = ensure(api, f"{self.path}/domains",
                             {"name": self.domain_name, "environment": self.environment},
                             {"attested": True})
        if self.network:
            ensure(api, f"{self.path}/submitters", {"kind": "network", "network": self.network})
        if self.fingerprint:
            ensure(api, f"{self.path}/submitters",
                   {"kind": "client_certificate", "fingerprint": self.fingerprint})
        if self.next_hop_port:
            api.put(f"{self.domain_path}/next-hop",
                    {"protocol": "smtp", "host": "127.0.0.1", "port": self.next_hop_port,
                     "tls": self.tls, "ca_pem": ""})
        say(f"{self.domain_name}: tenant {self.tenant['id']}, domain, submitter, next hop")

    def make_key(self, say=lambda text: None):
        """A key pair in the HSM, unless there is an active one."""
        self.key = self.api.find(f"{self.domain_path}/keys", state="active")
        if self.key is None:
            answer = self.api.post(f"{self.domain_path}/keys",
                                   {"algorithm": self.algorithm, "kind": self.key_kind})
            self.api.job_done(self.tenant["id"], answer["job"], timeout=120)
            self.key = self.api.get(f"{self.domain_path}/keys/{answer['key']['id']}")
            say(f"{self.domain_name}: key {self.key['id']} made in the HSM")
        return self.key

    def csr(self):
        """A certificate request for the key, signed in the HSM; PEM."""
        path = f"{self.domain_path}/keys/{self.key['id']}/csr"
        self.api.job_done(self.tenant["id"], self.api.post(path)["job"])
        return self.api.get(path)["pem"]

    def install(self, pem):
        answer = self.api.post(f"{self.domain_path}/certificates", {"pem": pem})
        return self.api.job_done(self.tenant["id"], answer["job"])["result"]

    def certify(self, say=lambda text: None, *more):
        """A certificate of the reference CA for the key, installed, unless there is one."""
        path = f"{self.domain_path}/certificates"
        self.certificate = self.api.find(path, state="active", key_id=self.key["id"])
        if self.certificate is None:
            self.install(self.platform.refca.issue(self.csr(), *more))
            self.certificate = self.api.find(path, state="active", key_id=self.key["id"])
            say(f"{self.domain_name}: certificate {self.certificate['serial']} issued by the CA "
                "from the HSM's request, installed")
        return self.certificate

    def publish(self, say=lambda text: None):
        self.platform.refca.publish()
        self.platform.refca.list_add(ENVIRONMENT_LISTS[self.environment], self.domain_name)
        say(f"{self.domain_name}: published to the directory")

    def messages(self, **query):
        return self.api.list(f"{self.path}/messages", **query)

    def message(self, msg_id):
        return self.api.get(f"{self.path}/messages/{msg_id}")

    def trace(self, msg_id):
        return self.api.list(f"{self.path}/messages/{msg_id}/trace")

    def held(self, **query):
        return self.api.list(f"{self.path}/held", **query)


def first_token(platform):
    """A provider-admin's token, made once by `tenantd token`; in secrets/provider-admin.token."""
    path = platform.layout.secrets / "provider-admin.token"
    if not path.exists():
        drop = platform.layout.run / f"token-{secrets.token_hex(8)}"
        run([platform.layout.bin / "tenantd", "token", "-c", platform.layout.etc / "tenantd.conf",
             "--role", "provider-admin", "--name", "quickstart", "--out", drop], TENANT, GROUP)
        platform.layout.write(path, drop.read_bytes(), 0o600)
        drop.unlink()
    return path


def trust(platform):
    """The CA as an accredited root, the directory as a source."""
    api = platform.api
    pem = platform.refca.anchor_pem
    if not any("".join(row["pem"].split()) == "".join(pem.split())
               for row in api.list("/v1/trust-anchors")):
        api.post("/v1/trust-anchors", {"pem": pem})
    if api.find("/v1/directory-sources", url=platform.directory.url) is None:
        api.post("/v1/directory-sources", {"url": platform.directory.url, "base_dn": "c=NZ",
                                           "position": 1})


def authority(platform, **more):
    """The reference CA over EST as a certification authority (api/openapi.yaml, AuthorityNew)."""
    refca = platform.refca
    wanted = {"name": "Reference CA", "method": "est", "est_url": refca.est_url,
              "tls_ca_pem": refca.ca_file.read_text("ascii"), "authentication": "password",
              "account": refca.account, "credential": refca.password_file.stem,
              "revocation_url": refca.revocation_url,
              "directory_id": platform.api.find("/v1/directory-sources",
                                                url=platform.directory.url)["id"], **more}
    return ensure(platform.api, "/v1/authorities", {"name": wanted.pop("name")}, wanted)
