"""The setting of the policy's tests: three organisations on one platform, a partner on A's exception list
and a stranger, both with certificates of the reference CA and keys that the tests have."""
import contextlib
import datetime
import re

import peers
from partners import Partner, from_directory
from sealgate.api import Api, Problem
from sealgate.layout import CA, GROUP
from sealgate.mailserver import MailServer
from sealgate.process import wait_for
from setting import A, B, C, FROM_B, Setting, simple

PARTNER, STRANGER, MEMBER = "partner.test", "stranger.test", "member.test"


def mail(author, recipients, name, body="Kia ora.\r\n", subject=None, fields=""):
    """A mail that is found by its name, which is its subject too unless told; fields: further ones."""
    message = simple(author, recipients, name, body)
    return message.replace(f"Subject: {name}".encode(), f"{fields}Subject: {subject or name}".encode(), 1)


class Lab(Setting):
    from_b, from_c = FROM_B, "127.0.0.4"

    def __init__(self, folder, block, settings=None, clock=False):
        ports = {PARTNER: block.base + 17, STRANGER: block.base + 18, MEMBER: block.base + 19}
        super().__init__(folder, block, ports, settings=settings or {}, clock=clock)
        for name, port in ports.items():
            self.servers[name] = MailServer(port, f"{folder}/mail/{name}")

    def start(self):
        super().start()
        api = self.platform.api
        api.post(f"{self.c.path}/submitters", {"kind": "network", "network": f"{self.from_c}/32"})
        self.partners = {PARTNER: Partner(self.platform, PARTNER, member=None),
                         STRANGER: Partner(self.platform, STRANGER, member=None),
                         MEMBER: Partner(self.platform, MEMBER)}
        self.platform.refca.publish()
        self.software = {}
        root = self.platform.layout.dir / "anchor.pem"
        root.write_text(self.platform.refca.anchor_pem, encoding="ascii")
        for name, partner in self.partners.items():
            software = self.software[name] = peers.OpenSsl(self.platform.layout.dir, root)
            software.own(partner.identity)
        self.ours = {domain: from_directory(self.platform, domain, self.platform.layout.dir / "found")
                     for domain in (A, B, C)}
        self.except_(PARTNER)
        return self

    def except_(self, partner, organisation=None, **more):
        domain = (organisation or self.a).domain_path
        return self.platform.api.post(f"{domain}/exceptions", {"partner": partner, **more})

    def token(self, role, organisation=None):
        """A client with a token of that role."""
        made = self.platform.api.post("/v1/tokens", {
            "name": role, "role": role,
            **({"tenant_id": organisation.tenant["id"]} if organisation else {})})
        return Api(self.platform.api.url, made["token"])

    @staticmethod
    def refused(client, method, path, body=None):
        try:
            client.request(method, path, body)
        except Problem as problem:
            return problem.status
        raise AssertionError(f"{method} {path} was allowed")

    def bulk(self, organisation, body):
        """Held mail by the hundred; of how many it was."""
        made = self.platform.api.post(f"{organisation.path}/held-actions", body)
        return self.platform.api.job_done(organisation.tenant["id"], made["job"])["result"]["count"]

    @staticmethod
    def minutes_between(first, last):
        begin, end = (datetime.datetime.fromisoformat(t.replace("Z", "+00:00")) for t in (first, last))
        return (end - begin).total_seconds() / 60

    @contextlib.contextmanager
    def policy(self, organisation, settings):
        """The domain's policy, over REST; what it was before is put back."""
        path = f"{organisation.domain_path}/policy"
        before = self.platform.api.get(path)["settings"]
        self.platform.api.put(path, {**before, **settings})
        try:
            yield
        finally:
            self.platform.api.put(path, before)

    def forget_certificates(self):
        """gatewayd's caches of certificates and revocation lists, as after a change of configuration."""
        self.platform.gatewayd.stop()
        self.platform.postgresql.psql("DELETE FROM sealgate.crl")
        self.platform.gatewayd.start()

    def workspace(self, domain):
        """The domain joins WORKSPACE in the directory, and tenantd has read it."""
        self.platform.refca.list_add("WORKSPACE", domain)
        wait_for(lambda: self.platform.api.list("/v1/member-domains", environment="workspace", name=domain), 30,
                 "the list to be read")

    def revoke_own(self, domain):
        """The reference CA revokes the certificate that a domain of ours has in the directory."""
        path = self.platform.layout.dir / f"revoke-{domain}.pem"
        self.platform.layout.write(path, self.ours[domain].certificate.read_text(encoding="ascii"), 0o400, CA, GROUP)
        self.platform.refca.run("revoke", path, "--reason", "superseded")

    @staticmethod
    def parts(raw):
        """The parts of a multipart message, octet by octet."""
        head, _, body = raw.partition(b"\r\n\r\n")
        boundary = re.search(rb'boundary="([^"]+)"', head).group(1)
        pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
        assert pieces[-1].startswith(b"--")
        return [piece.removeprefix(b"\r\n") for piece in pieces[1:-1]]

    # What was sent by somebody else's software ----------------------------------------------------------

    def entity(self, text):
        return b"Content-Type: text/plain\r\n\r\n" + text.encode()

    def sealed(self, name, domain, text, sign=True, encrypt=True):
        software = self.software[name]
        entity = self.entity(text)
        if sign:
            entity = software.sign(entity, "sha256")
        if encrypt:
            software.partner(self.ours[domain])
            entity = software.encrypt(entity, self.ours[domain], "aes256-cbc")
        return entity.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

    def sealed_from(self, name, recipients, subject, text="Kia ora.\r\n", fields="", **how):
        """Of a domain that we hold the key of; fields: further ones of the header, each with its line end."""
        domain = recipients[0].partition("@")[2]
        self.from_outside(f"pat@{name}", recipients, self.outer(f"pat@{name}", recipients, subject, fields)
                          + self.sealed(name, domain, text, **how))

    @staticmethod
    def outer(author, recipients, subject, fields=""):
        return (f"From: <{author}>\r\nTo: {', '.join(recipients)}\r\nSubject: {subject}\r\n"
                f"Date: Mon, 23 Nov 2026 10:00:00 +1300\r\nMessage-ID: <{subject}@x.test>\r\n"
                f"MIME-Version: 1.0\r\n{fields}").encode()

    def open_at(self, name, raw):
        software = self.software[name]
        head, _, body = raw.partition(b"\r\n\r\n")
        content = b"".join(line + b"\r\n" for line in _unfold(head) if line.lower().startswith(b"content-"))
        return software.verify(software.decrypt(content + b"\r\n" + body))

    # What became of it ----------------------------------------------------------------------------------

    def message(self, subject, organisation=None, direction=None):
        def found():
            rows = (organisation or self.a).messages(message_id=f"{subject}@x.test")
            rows = [r for r in rows if direction in (None, r["direction"])]
            return rows and rows[0]
        return wait_for(found, 20, f"the message {subject}")

    def settled(self, subject, outcomes, organisation=None):
        """Until these are the outcomes of the message's recipients."""
        def reached():
            rows = (organisation or self.a).messages(message_id=f"{subject}@x.test")
            return rows and {r["recipient"]: r["outcome"] for r in rows[0]["recipients"]} == outcomes
        wait_for(reached, 60, f"{subject}: {outcomes}")

    def trace(self, subject, organisation=None, last="decided"):
        organisation = organisation or self.a
        row = self.message(subject, organisation)

        def steps():
            rows = organisation.trace(row["id"])
            return any(r["step"] == last for r in rows) and rows
        return wait_for(steps, 20, f"the trace of {subject}")

    def decided(self, subject, organisation=None):
        return [s for s in self.trace(subject, organisation) if s["step"] == "decided"][-1]["detail"]

    def held(self, organisation, recipient_domain, name=None):
        """What is held for that domain: of that message, or the only one."""
        def found():
            rows = organisation.held(state="held", recipient_domain=recipient_domain)
            if name:
                about = {m["id"] for m in organisation.messages(message_id=f"{name}@x.test")}
                rows = [r for r in rows if r["msg_id"] in about]
            return rows and rows[0]
        return wait_for(found, 30, f"held mail to {recipient_domain}")

    def notice(self, domain, title, about, to=None):
        """A notice of that title about a message of that subject."""
        return self.servers[domain].wait(
            1, 60, lambda m: title.encode() in m.raw and about.encode() in m.raw
            and (to is None or m.recipients == [to]))[0]


def _unfold(head):
    lines = []
    for line in head.split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and lines:
            lines[-1] += b"\r\n" + line
        else:
            lines.append(line)
    return lines
