"""Certificates change while mail flows both ways: two that overlap, a renewed partner, a revoked one, a suspended and
restored one. No message is lost, none is in the clear on the wire, none waits longer than its certificate is bad;
the times from publication to use are printed (REQ-37, 38, 41, 51, 86).
"""
import base64
import collections
import tempfile
import threading
import time

import pytest

from members import NOW, Members
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, simple

RENEWED, REVOKED, SUSPENDED = "renewed.test", "revoked.test", "suspended.test"
DOMAINS = [RENEWED, REVOKED, SUSPENDED]
SECRET = "this is not to be read on the way"


class Flow(Members):
    """Every round a message to each partner and one from each, until it is stopped."""

    def __init__(self, folder, block):
        super().__init__(folder, block, DOMAINS, {
            "hold.discover": "1s", "hold.retry_first": "1h", "certificates.crl_refresh": "1s",
            "notice.merge": "500ms"})
        self.sent, self.came, self.went_at = collections.Counter(), collections.Counter(), {}
        self.over, self.errors = threading.Event(), []

    def start(self):
        super().start()
        self.find_ours(A)
        for domain in DOMAINS:
            self.member(domain, by_the_rules=True)
            self.publish(domain)
        return self

    def flow(self):
        """In a thread of its own."""
        try:
            for number in range(10_000):
                if self.over.is_set():
                    return
                for domain in DOMAINS:
                    name = f"out-{domain}-{number}"
                    self.submit(f"joe@{A}", [f"ann@{domain}"],
                                simple(f"joe@{A}", [f"ann@{domain}"], name, f"{SECRET}\r\n"))
                    self.sent[domain] += 1
                    self.went_at[name] = time.monotonic()
                    self.come_in(domain, number)
                self.over.wait(0.1)
        except Exception as error:  # for the test's own thread
            self.errors.append(error)

    def come_in(self, domain, number):
        member, name = self.members[domain], f"in-{domain}-{number}"
        entity = f"Content-Type: text/plain\r\n\r\n{SECRET}\r\n".encode()
        self.from_outside(f"pat@{domain}", [f"joe@{A}"], (
            f"From: <pat@{domain}>\r\nTo: <joe@{A}>\r\nSubject: {name}\r\nMessage-ID: <{name}@x.test>\r\n"
            "X-NZ-Secure-email: 1.0\r\nMIME-Version: 1.0\r\n").encode() + member.sealed(entity, A))
        self.came[domain] += 1

    def went(self, domain):
        """Those that have arrived at the partner, in the order of arrival."""
        return [m for m in self.outside.mails if m.recipients == [f"ann@{domain}"]]

    def uses(self, leaf, domain, since):
        """Waits until mail is sealed to that certificate; how long it took."""
        serial = leaf.certificate.serial_number.to_bytes(20, "big").lstrip(b"\0")

        def is_used():
            return any(serial in base64.b64decode(m.body) for m in self.went(domain)[-6:])
        wait_for(is_used, 90, f"mail to {domain} by its new certificate")
        return time.monotonic() - since


@pytest.fixture(scope="module")
def flow():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgp", dir="/var/tmp") as folder:
        s = Flow(folder, block)
        try:
            yield s.start()
        finally:
            s.over.set()
            s.stop()


def test_certificates_change_while_mail_flows(flow):
    thread = threading.Thread(target=flow.flow)
    thread.start()
    times = {}
    try:
        for domain in DOMAINS:
            wait_for(lambda d=domain: len(flow.went(d)) >= 2, 60, f"mail to {domain}")

        # Renewed: a second certificate beside the first, published; the first goes when it is revoked.
        renewed = flow.members[RENEWED]
        first, second = renewed.leaves[0], renewed.issue(by_the_rules=True)
        flow.publish(RENEWED, first, second)
        renewed.use(second)  # it signs with the new one at once: known from its mail
        started = time.monotonic()
        times["a renewed partner, from its first mail to ours by it"] = flow.uses(second, RENEWED, started)

        # Revoked: held from when the list is read, until another certificate is published.
        revoked = flow.members[REVOKED]
        started = time.monotonic()
        flow.ca("revoke", revoked.leaves[0].pem, "--reason", "keyCompromise")
        wait_for(lambda: flow.a.held(state="held", recipient_domain=REVOKED), 90, "mail held for want of a certificate")
        times["from the revocation to the first message held"] = time.monotonic() - started
        replacement = flow.ca.forge(REVOKED, key=revoked.key, not_before=NOW)
        flow.publish(REVOKED, replacement)
        started = time.monotonic()
        times["from publication to use"] = flow.uses(replacement, REVOKED, started)
        revoked.leaves.append(replacement)
        revoked.use(replacement)

        # Suspended, and restored.
        suspended = flow.members[SUSPENDED]
        started = time.monotonic()
        flow.ca("revoke", suspended.leaves[0].pem, "--reason", "certificateHold")
        wait_for(lambda: flow.a.held(state="held", recipient_domain=SUSPENDED), 90, "mail held while suspended")
        times["from the suspension to the first message held"] = time.monotonic() - started
        flow.ca("restore", suspended.leaves[0].pem)
        started = time.monotonic()
        wait_for(lambda: not flow.a.held(state="held", recipient_domain=SUSPENDED), 90, "held mail to go")
        times["from the restoring to the last held message gone"] = time.monotonic() - started

        # Our own: a second certificate; the newest signs, both decrypt while partners still use the first.
        before = flow.a.certificate["id"]
        flow.a.install(flow.platform.refca.issue(flow.a.csr(), "--overlap"))
        wait_for(lambda: flow.platform.api.find(f"{flow.a.domain_path}/certificates", state="active")["id"] != before,
                 60, "our own second certificate")
        count = sum(len(flow.went(d)) for d in DOMAINS)
        wait_for(lambda: sum(len(flow.went(d)) for d in DOMAINS) >= count + 6, 60, "mail to flow on")
    finally:
        flow.over.set()
        thread.join(60)
    assert not flow.errors, flow.errors
    complete(flow)
    for what, seconds in times.items():
        print(f"\n{what}: {seconds:.2f} s")


def complete(flow):
    """Everything arrived once, sealed; nothing waits; nothing was readable on the way."""
    for domain in DOMAINS:
        wait_for(lambda d=domain: len(flow.went(d)) >= flow.sent[d], 90, f"all the mail to {domain}")
        names = collections.Counter(
            line for m in flow.went(domain) for line in m.head.split(b"\r\n") if line.startswith(b"Subject: out-"))
        assert len(names) == flow.sent[domain] and set(names.values()) == {1}
        arrived = wait_for(lambda d=domain: [m for m in flow.servers[A].mails if f"Subject: in-{d}-".encode() in m.head]
                           if sum(f"Subject: in-{d}-".encode() in m.head for m in flow.servers[A].mails)
                           >= flow.came[d] else None, 90, f"all the mail from {domain}")
        assert len(arrived) == flow.came[domain]
        assert flow.a.held(state="held", recipient_domain=domain) == []
        member, mails = flow.members[domain], flow.went(domain)
        for leaf, mail in ((member.leaves[0], mails[0]), (member.leaves[-1], mails[-1])):
            member.use(leaf)
            assert SECRET.encode() in member.open(mail.raw)
    assert not [1 for _, raw in flow.tap.messages if SECRET.encode() in raw]
    print(f"\n{sum(flow.sent.values())} messages out, {sum(flow.came.values())} in")
