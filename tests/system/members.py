"""Members elsewhere whose keys the tests have, by the dozen behind one mail server, and the platform's CA in this
process: for tests of what becomes of mail when a certificate is not good.

    s = Members(folder, block, ["one.test", "two.test"]).start()
    s.member("one.test", not_after=NOW - DAY)      # issued with these dates; in no directory yet
    s.publish("one.test")                          # what the directory has under its address
    s.ca("revoke", leaf.pem, "--reason", "…")      # the CA itself
"""
import base64
import contextlib
import datetime as dt
import email
import os
import subprocess
import time

import certlab
import peers
from sealgate.layout import CA as CA_USER, GROUP
from sealgate.mailserver import MailServer
from sealgate.process import wait_for
from setting import A, Setting, simple

DCA = certlab.DCA
NOW, DAY = certlab.NOW, certlab.DAY
FAST = {"hold.retry_first": "1h", "hold.discover": "1h", "notice.merge": "500ms"}


class PlatformCA(certlab.CA):
    """A reference CA of the platform, its commands in this process, its keys for what it would not issue."""

    def __init__(self, refca):  # pylint: disable=super-init-not-called
        self.refca, self.folder, self.url = refca, refca.folder, refca.crl_url
        self.count, self.lists_touched = 0, False

    def _owned(self):
        for path in self.folder.iterdir():
            os.chown(path, CA_USER, GROUP)

    def __call__(self, *arguments):
        try:
            return super().__call__(*arguments)
        finally:
            self._owned()

    def put_crl(self, data, file="ca.crl"):
        super().put_crl(data, file)
        self._owned()

    def save(self, certificate):
        leaf = super().save(certificate)
        leaf.pem = leaf.path.with_suffix(".pem")
        leaf.pem.write_bytes(certificate.public_bytes(certlab.PEM))
        return leaf


class Member:
    """A domain that takes part, with a key of its own and any number of certificates for it."""

    def __init__(self, setting, domain, member="seemail", key=None):
        self.setting, self.domain = setting, domain
        self.folder = setting.platform.layout.dir / "members" / domain
        self.folder.mkdir(parents=True)
        self.key = key or certlab.rsa_key(domain)
        (self.folder / "key.pem").write_bytes(certlab.key_pem(self.key))
        self.leaves = []
        self.software = peers.OpenSsl(self.folder, setting.root)
        if member:
            setting.platform.api.post("/v1/member-domains", {"name": domain, "environment": member})

    def issue(self, ca=None, by_the_rules=False, **terms):
        """A further certificate, which it signs with from now on."""
        ca = ca or self.setting.ca
        leaf = ca.issue(self.domain, "--overlap", key=self.key) if by_the_rules else \
            ca.forge(self.domain, key=self.key, **terms)
        self.leaves.append(leaf)
        self.use(leaf)
        return leaf

    def use(self, leaf):
        if not hasattr(leaf, "pem"):
            leaf.pem = leaf.path.with_suffix(".pem")
            leaf.pem.write_bytes(leaf.certificate.public_bytes(certlab.PEM))
        self.identity = peers.Identity(self.domain, leaf.pem, self.folder / "key.pem",
                                       [leaf.helpers] if leaf.helpers else [])
        self.software.own(self.identity)

    def signed(self, entity, chain=True):
        options = ["-certfile", self.identity.chain[0]] if chain and self.identity.chain else []
        return crlf(self.software.sign(entity, options=options))

    def sealed(self, entity, to):
        """To a domain of ours, by the certificate that the setting found for it."""
        return crlf(self.software.encrypt(self.software.sign(entity), self.setting.ours[to], "aes256-cbc"))

    def open(self, raw):
        """The text that was sealed to this member, with the signature checked."""
        head, _, body = raw.partition(b"\r\n\r\n")
        content = b"".join(b + b"\r\n" for b in unfold(head) if b.lower().startswith(b"content-"))
        return self.software.verify(self.software.decrypt(content + b"\r\n" + body))


def crlf(data):
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def unfold(head):
    lines = []
    for line in head.split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and lines:
            lines[-1] += b"\r\n" + line
        else:
            lines.append(line)
    return lines


class Members(Setting):
    def __init__(self, folder, block, domains, settings=None, clock=False):
        port = block.base + 19
        super().__init__(folder, block, {domain: port for domain in domains}, clock=clock,
                         settings={"gatewayd": {**FAST, **(settings or {})}})
        self.servers["members"] = self.outside = MailServer(port, f"{folder}/mail/members")
        self.members, self.ours = {}, {}

    def start(self):
        super().start()
        self.ca = PlatformCA(self.platform.refca)
        self.root = self.platform.layout.dir / "anchor.pem"
        self.root.write_text(self.platform.refca.anchor_pem, encoding="ascii")
        return self

    def find_ours(self, *domains):
        """The certificates of our domains, as anybody finds them."""
        from partners import from_directory  # pylint: disable=import-outside-toplevel
        for domain in domains:
            self.ours[domain] = from_directory(self.platform, domain, self.platform.layout.dir / "found")

    def member(self, domain, member="seemail", **terms):
        made = self.members[domain] = Member(self, domain, member)
        made.issue(**terms)
        return made

    def newcomers(self, domains, **terms):
        """Members whose certificates are in the directory, and known to nobody yet. One key for all of them, and one entry
        into the directory: they are many."""
        key, entries = certlab.rsa_key("newcomers"), []
        for domain in domains:
            made = self.members[domain] = Member(self, domain, key=key)
            entries.append(self._entries(domain, [made.issue(**terms)]))
        self._add("\n".join(entries))

    # The directory ------------------------------------------------------------------------------------------

    def _ldap(self, command, *arguments, stdin=""):
        directory = self.platform.directory
        return subprocess.run([command, "-x", "-H", directory.url, "-D", "cn=admin,c=NZ", "-y",
                               str(directory.password_file), *arguments], input=stdin.encode(), check=False,
                              capture_output=True)

    def unpublish(self, domain):
        for dn in (f"cn={DCA},ou={domain},c=NZ", f"ou={domain},c=NZ"):
            self._ldap("ldapdelete", dn)

    def publish(self, domain, *leaves):
        """These certificates and no others under its address; its newest one, unless told."""
        self.unpublish(domain)
        self._add(self._entries(domain, leaves or self.members[domain].leaves[-1:]))

    @staticmethod
    def _entries(domain, leaves):
        ders = [leaf.certificate.public_bytes(certlab.DER) for leaf in leaves]
        values = "".join(f"userCertificate;binary:: {base64.b64encode(der).decode()}\n" for der in ders)
        return (f"dn: ou={domain},c=NZ\nobjectClass: organizationalUnit\nou: {domain}\n\n"
                f"dn: cn={DCA},ou={domain},c=NZ\nobjectClass: inetOrgPerson\n"
                f"cn: {DCA}\nsn: {DCA}\nmail: {DCA}@{domain}\n{values}")

    def _add(self, entries):
        done = self._ldap("ldapadd", stdin=entries)
        assert done.returncode == 0, done.stderr

    @contextlib.contextmanager
    def directory_down(self):
        self.platform.directory.stop()
        try:
            yield
        finally:
            self.platform.directory.start()

    # Mail ---------------------------------------------------------------------------------------------------

    def send(self, domain, name, author=f"joe@{A}", body="Kia ora, secret.\r\n"):
        """One of ours writes to a domain; the subject is the name."""
        self.submit(author, [f"ann@{domain}"], simple(author, [f"ann@{domain}"], name, body))
        return time.monotonic()

    def at_members(self, name, timeout=60, count=1):
        field = b"\r\nSubject: " + name.encode()
        return self.outside.wait(count, timeout, lambda m: field in b"\r\n" + m.head)

    def message(self, name, organisation=None, direction=None):
        def found():
            rows = (organisation or self.a).messages(message_id=f"{name}@x.test")
            rows = [r for r in rows if direction in (None, r["direction"])]
            return rows and rows[0]
        return wait_for(found, 30, f"the message {name}")

    def steps(self, name, step, organisation=None):
        """The details of that step in the message's trace, once there is one."""
        row = self.message(name, organisation)

        def found():
            return [s["detail"] for s in (organisation or self.a).trace(row["id"]) if s["step"] == step]
        return wait_for(found, 30, f"the step {step} of {name}")

    def held(self, domain, organisation=None):
        return wait_for(lambda: (organisation or self.a).held(state="held", recipient_domain=domain), 30,
                        f"held mail to {domain}")

    def notices(self, domain, title, about, to=None):
        """The notices of that title about a message of that subject which have come."""
        return [m for m in self.servers[domain].mails if title.encode() in m.raw and about.encode() in m.raw
                and (to is None or m.recipients == [to])]

    def notice(self, domain, title, about, to=None):
        wait_for(lambda: self.notices(domain, title, about, to), 60, f"{title} about {about} to {to}")
        return self.notices(domain, title, about, to)[0]


def text_of(raw):
    """The text parts of a message, decoded."""
    return "\n".join(part.get_payload(decode=True).decode("utf-8", "replace")
                     for part in email.message_from_bytes(raw).walk()
                     if part.get_content_maintype() == "text")


def in_days(days):
    return dt.datetime.utcnow().replace(microsecond=0) + days * DAY
