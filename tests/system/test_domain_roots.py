"""A domain's further roots: whom it trusts beyond the accredited CAs, it alone (REQ-180).

Partners elsewhere with certificates of a CA that nobody accredited; agency A adds its root by the REST
API, agency B, another tenant, does not. REQ-36 REQ-43 REQ-178 REQ-180
"""
import tempfile

import pytest

import peers
from interop import ENTITIES
from partners import Partner, from_directory, further_ca
from sealgate.mailserver import MailServer
from sealgate.ports import PortBlock
from sealgate.process import NotReady, wait_for
from setting import A, B, FROM_A, FROM_B, Setting, header, simple

FIRST_A, FIRST_B = "first-a.test", "first-b.test"  # who is asked about them first
CHANGED = "changed.test"  # has a certificate of an accredited CA later
REVOKED = "revoked.test"
SOURCE = {A: FROM_A, B: FROM_B}
ENTITY = ENTITIES["text"]
# Far less than a good verdict is remembered for (60 s): a change is not waited for so long.
AT_ONCE = 20


class Roots(Setting):
    def __init__(self, folder, block):
        self.partners_port = block.base + 18
        super().__init__(folder, block, dict.fromkeys((FIRST_A, FIRST_B, CHANGED), self.partners_port),
                         settings={"gatewayd": {"certificates.private_lists": "yes"}})
        self.servers["partners"] = MailServer(self.partners_port, f"{folder}/mail/partners")
        self.ca_port, self.ca, self.count = block.base + 16, None, 0

    def start(self):
        super().start()
        self.ca = further_ca(self.platform, "private-ca", self.ca_port)
        self.ca.start()
        self.ca.publish()  # of the partner of whom nothing is in the store: the CA between
        self.agency = {A: self.a, B: self.b}
        self.found = {domain: from_directory(self.platform, domain, self.platform.layout.dir / "found")
                      for domain in (A, B)}
        self.peer = {}
        for domain in (FIRST_A, FIRST_B, CHANGED, REVOKED):
            partner = Partner(self.platform, domain, self.ca)
            if domain == REVOKED:  # before anybody fetched the list
                partner.revoke("keyCompromise")
            elif domain == CHANGED:  # nothing of it is in the store
                partner.put()
            else:
                self.publish(partner)
            software = peers.OpenSsl(self.platform.layout.dir, self.platform.layout.ca / "root.pem")
            software.own(partner.identity)
            self.peer[domain] = (software, partner)
        self.trusted = self.trust()
        return self

    def publish(self, partner):
        """The certificate in the directory; the CA that no directory has, in the partners' store."""
        partner.put()
        between, = partner.identity.chain
        self.platform.api.post("/v1/partner-certificates", {
            "domain": partner.domain, "origin": "its administrator",
            "pem": between.read_text(encoding="ascii")})

    def trust(self):
        return self.platform.api.post(f"{self.a.domain_path}/trust-anchors",
                                      {"pem": self.ca.anchor_pem})

    def distrust(self):
        self.platform.api.delete(f"{self.a.domain_path}/trust-anchors/{self.trusted['id']}")

    def stop(self):
        for software, _ in self.peer.values():
            software.close()
        if self.ca:
            self.ca.stop()
        super().stop()

    def subject(self, *words):
        self.count += 1
        return "-".join((f"roots{self.count}", *words))

    def verdict(self, partner, *agencies):
        """What a sealed mail of that partner's is taken for by each agency that gets it."""
        software, who = self.peer[partner]
        chain = [option for path in who.identity.chain for option in ("-certfile", path)]
        subject = self.subject(partner, "to", *agencies)
        for agency in agencies:
            head = simple(f"joe@{partner}", [f"ann@{agency}"], subject).partition(b"\r\n\r\n")[0]
            sealed = software.encrypt(software.sign(ENTITY, options=chain), self.found[agency],
                                      "aes256-cbc")
            body = b"\r\n".join(sealed.replace(b"\r\n", b"\n").split(b"\n"))
            self.from_outside(f"joe@{partner}", [f"ann@{agency}"],
                              head + b"\r\nX-NZ-Secure-email: 1.0\r\n" + body)
        return [header(self.arrived(agency, subject)[0].raw, "X-Sealgate-Verdict")
                for agency in agencies]

    def sent(self, agency, partner, to_first=True):
        """Whether the partner's gateway got it sealed, to its first certificate or another, or why it is held."""
        subject = self.subject(agency, "to", partner)
        self.submit(f"ann@{agency}", [f"joe@{partner}"],
                    simple(f"ann@{agency}", [f"joe@{partner}"], subject), source=SOURCE[agency])
        tenant = self.agency[agency]

        def recipient():
            for row in tenant.messages(message_id=f"{subject}@x.test"):
                return next((r for r in tenant.message(row["id"])["recipients"] if r["outcome"] != "received"),
                            None)
            return None
        outcome = wait_for(recipient, 30, f"outcome of {subject}")
        if outcome["outcome"] == "held":
            return outcome["codes"]
        got, = self.arrived("partners", subject)
        if not to_first:
            assert b"Kia ora." not in got.raw and b"enveloped-data" in got.raw
            return "sealed"
        signed = self.peer[partner][0].decrypt(got.raw)
        assert b"Kia ora." in self.peer[partner][0].verify(signed)
        return "sealed"


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgr", dir="/var/tmp") as folder:
        s = Roots(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


VERIFIED, DOUBTED = "verified; domain={}", "unverified; code=102"


@pytest.mark.parametrize("partner,order", [(FIRST_A, (A, B)), (FIRST_B, (B, A))],
                         ids=["A-first", "B-first"])
def test_further_root_counts_for_its_domain_alone(setting, partner, order):
    """REQ-36 REQ-180: whoever asks first, received and sent, and again out of what is remembered."""
    for _ in range(2):
        for agency in order:
            wanted = VERIFIED.format(partner) if agency == A else DOUBTED
            assert setting.verdict(partner, agency) == [wanted]
    for _ in range(2):
        for agency in order:
            assert setting.sent(agency, partner) == ("sealed" if agency == A else ["201"])


def test_own_certificate_is_of_an_accredited_ca(setting):
    """REQ-178: a root that A trusts does not make a certificate of A's that others could trust."""
    with pytest.raises(NotReady, match="no chain to an accredited root"):
        setting.a.install(setting.ca.issue(setting.a.csr()))


def test_change_takes_effect_at_once(setting):
    """REQ-180: the root taken back, and given again, while verdicts are remembered."""
    assert setting.verdict(FIRST_A, A) == [VERIFIED.format(FIRST_A)]
    assert setting.sent(A, FIRST_A) == "sealed"
    setting.distrust()
    wait_for(lambda: setting.verdict(FIRST_A, A) == [DOUBTED], AT_ONCE, "the root to be gone")
    assert setting.sent(A, FIRST_A) == ["201"]  # its certificate is in the store
    setting.trusted = setting.trust()
    wait_for(lambda: setting.verdict(FIRST_A, A) == [VERIFIED.format(FIRST_A)], AT_ONCE, "the root")
    assert setting.verdict(FIRST_A, B) == [DOUBTED]


def test_revoked_below_a_further_root(setting):
    """REQ-36 REQ-180: its lists count as those of any CA."""
    assert setting.verdict(REVOKED, A, B) == ["unverified; code=101", DOUBTED]


def test_what_one_domain_trusts_decides_nothing_for_others(setting):
    """REQ-83, 180: A knows a partner by a root of its own; to B, who asks about changes, that partner's first
    certificate is the one of an accredited CA."""
    api, a = setting.platform.api, setting.a.domain["id"]
    policy = f"{setting.b.domain_path}/policy"
    api.put(policy, {"changed_certificate": "ask"})
    partner = setting.peer[CHANGED][1]
    def stored():
        return {(r["relying_domain_id"], r["state"])
                for r in api.list("/v1/partner-certificates", domain=CHANGED) if r["source"] == "ldap"}
    assert setting.sent(A, CHANGED) == "sealed"
    assert stored() == {(a, "active")}
    assert setting.sent(B, CHANGED) == ["201"]
    partner.beside(setting.platform.refca)
    assert setting.sent(B, CHANGED, to_first=False) == "sealed"
    assert stored() == {(a, "active"), (None, "active")}
    # What was refused is refused to all, by whomever it was found.
    for row in api.list("/v1/partner-certificates", domain=CHANGED):
        if row["relying_domain_id"]:
            api.post(f"/v1/partner-certificates/{row['id']}/refuse")
    assert setting.sent(A, CHANGED, to_first=False) == "sealed"
    assert stored() == {(a, "refused"), (None, "active")}
    api.put(policy, {})
