"""What a partner's gateway says that it can do, and the certificates that it changes to: learned from its mail, used
in ours, by policy and by hand. All through the real sockets, with members elsewhere whose mail is made here.

REQ-23 REQ-24 REQ-25 REQ-26 REQ-37 REQ-38 REQ-45 REQ-46 REQ-47 REQ-50 REQ-51 REQ-70 REQ-71 REQ-83 REQ-84 REQ-85
"""
import base64
import contextlib
import datetime as dt
import tempfile
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

import certlab
import forge
import peers
from forge import der, oid, seq, set_of
from members import DAY, NOW, Member, Members, PlatformCA
from partners import further_ca
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, FROM_B, header, simple

NAMES = ["gcm", "steps", "weak", "replay", "early", "hand", "liar", "rooted", "replace", "pin", "ask", "refused", "curve", "usage", "small", "sha1", "dry"]
SIGNING_TIME, CAPABILITIES = oid("1.2.840.113549.1.9.5"), oid("1.2.840.113549.1.9.15")
CAN = {"3des": "1.2.840.113549.3.7", "rc2": "1.2.840.113549.3.2", "aes128-cbc": "2.16.840.1.101.3.4.1.2",
       "aes192-cbc": "2.16.840.1.101.3.4.1.22", "aes256-cbc": "2.16.840.1.101.3.4.1.42",
       "aes128-gcm": "2.16.840.1.101.3.4.1.6", "aes256-gcm": "2.16.840.1.101.3.4.1.46"}
CBC_256, OAEP, PKCS1 = oid(CAN["aes256-cbc"]), oid("1.2.840.113549.1.1.7"), oid("1.2.840.113549.1.1.1")
MINUTE = dt.timedelta(minutes=1)
TEXT = b"Content-Type: text/plain\r\n\r\nDear Joe.\r\n"


class Partners(Members):
    from_b = FROM_B

    def __init__(self, folder, block):
        super().__init__(folder, block, [f"{name}.test" for name in NAMES], {"certificates.private_lists": "yes"})
        self.ca2_port = block.base + 18

    def start(self):
        super().start()
        self.find_ours(A, B)
        return self

    def join(self, name, **terms):
        """A member whose certificate is in the directory."""
        made = self.member(f"{name}.test", **terms)
        self.publish(made.domain)
        return made

    @contextlib.contextmanager
    def policy(self, organisation, **settings):
        path = f"{organisation.domain_path}/policy"
        self.platform.api.put(path, settings)
        try:
            yield
        finally:
            self.platform.api.put(path, {})

    def member_with(self, name, key, **terms):
        """A member whose certificate, in the directory, has this key."""
        made = self.members[f"{name}.test"] = Member(self, f"{name}.test")
        made.key = key
        (made.folder / "key.pem").write_bytes(certlab.key_pem(key))
        made.issue(**terms)
        self.publish(made.domain)
        return made

    def curve(self, name, usage):
        """… on P-256, for this use."""
        return self.member_with(name, ec.generate_private_key(ec.SECP256R1()), usage=usage)

    def known(self, member):
        """What is known of its software, as the API shows it; None."""
        rows = self.platform.api.list("/v1/partner-capabilities", domain=member.domain)
        return rows[0] if rows else None

    def says(self, member, name, *can, at=dt.timedelta(), to=A, verified=True, leaf=None, timed=True, author=None,
             seal=True, signature=None):
        """The member's gateway writes to us, and says in its signature that it can do this."""
        if leaf:
            member.use(leaf)
        when = (dt.datetime.utcnow() + at).strftime("%y%m%d%H%M%SZ").encode()
        more = [seq(CAPABILITIES, set_of(seq(*(seq(oid(CAN[c])) for c in can))))] if can else []
        if timed:
            more.append(seq(SIGNING_TIME, set_of(der(0x17, when))))
        attributes = forge.attributes(TEXT, more=more)
        entity = forge.detached(TEXT, [member.identity], [
            forge.signer(member.identity, TEXT, attributes, signature=signature)])
        if seal:
            entity = forge.sealed(entity, self.ours[to])
        sender = author or f"pat@{member.domain}"
        self.from_outside(sender, [f"joe@{to}"], (
            f"From: <{sender}>\r\nTo: <joe@{to}>\r\nSubject: {name}\r\nMessage-ID: <{name}@x.test>\r\n"
            "Date: Mon, 23 Nov 2026 10:00:00 +1300\r\nMIME-Version: 1.0\r\n").encode() + entity)
        mail = self.servers[to].wait(1, 60, lambda m: name.encode() in m.raw)[0]
        said = f"verified; domain={member.domain}"
        assert (header(mail.raw, "X-Sealgate-Verdict") == said) == verified, mail.raw[:600]

    def writes(self, member, name, author=f"joe@{A}", organisation=None):
        """One of ours writes to it: what is on the wire, and what the trace says of it. It can be read there."""
        source = {"source": FROM_B} if author.endswith(B) else {}
        self.submit(author, [f"pat@{member.domain}"], (
            f"From: <{author}>\r\nTo: <pat@{member.domain}>\r\nSubject: {name}\r\nMessage-ID: <{name}@x.test>\r\n"
            f"Date: Mon, 23 Nov 2026 10:00:00 +1300\r\n\r\nMarker-{name}\r\n").encode(), **source)
        raw = self.at_members(name)[0].raw
        current = member.identity
        member.use(next(leaf for leaf in member.leaves
                        if leaf.certificate.serial_number == forge.Captured(raw).serial))
        assert b"Marker-" not in raw and f"Marker-{name}".encode() in member.open(raw)
        member.software.own(current)
        member.identity = current
        return forge.Captured(raw), self.steps(name, "sealed", organisation)[0]

    def cipher(self, member, name):
        captured, said = self.writes(member, name)
        assert captured.authenticated == said["cipher"].endswith("gcm")
        return said["rule"], captured.cipher

    def forget(self):
        """gatewayd's caches of certificates and revocation lists."""
        self.platform.gatewayd.stop()
        self.platform.postgresql.psql("DELETE FROM sealgate.crl")
        self.platform.gatewayd.start()


def transport(captured):
    algorithm = forge.elements(forge.elements(captured.recipients[0])[0][1])[2][1]
    return forge.elements(algorithm)[0][2]


@pytest.fixture(scope="module")
def s():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgk", dir="/var/tmp") as folder:
        made = Partners(folder, block)
        try:
            yield made.start()
        finally:
            made.stop()


def test_gcm_to_who_can(s):
    """REQ-26, 84, 85: until a partner says what it can do, what all can read; from its first mail on, the best."""
    member = s.join("gcm")
    captured, said = s.writes(member, "gcm-unknown")
    assert (said["rule"], captured.cipher, transport(captured)) == ("unknown", CBC_256, PKCS1)
    assert said["known_from"] == "nothing is known" and s.known(member) is None
    s.says(member, "gcm-says", "aes128-cbc", "aes256-cbc", "aes256-gcm", "3des")
    s.steps("gcm-says", "capabilities")
    captured, said = s.writes(member, "gcm-known")
    assert captured.authenticated and captured.cipher == oid(CAN["aes256-gcm"])
    assert said["rule"] == "aes256-gcm" and said["key_transport"] == "rsa-pkcs1"
    known = s.known(member)
    assert known["origin"] == s.message("gcm-says")["id"]
    assert said["known_from"] == "its mail"  # which may have been another tenant's
    assert known["capabilities"] == known["learned"] == ["3des", "aes128-cbc", "aes256-cbc", "aes256-gcm"]
    assert known["by_hand"] is None and s.platform.api.get(f"/v1/partner-capabilities/{known['id']}") == known


@pytest.mark.parametrize("minute, can, rule, cipher", [
    (1, ["aes128-cbc"], "aes128-cbc", "aes128-cbc"),
    (2, ["aes128-cbc", "aes128-gcm"], "aes128-gcm", "aes128-gcm"),
    (3, ["aes192-cbc", "3des"], "nothing-in-common", "aes256-cbc"),
    (4, ["aes256-cbc", "aes128-gcm"], "aes256-cbc", "aes256-cbc"),
])
def test_the_strongest_in_common(s, minute, can, rule, cipher):
    """REQ-26: each mail is signed later than the last, and so each set replaces the one before."""
    member = s.members.get("steps.test") or s.join("steps")
    s.says(member, f"steps-says-{minute}", *can, at=(minute - 10) * MINUTE)
    assert s.steps(f"steps-says-{minute}", "capabilities")[0]["outcome"] == "learned"
    assert s.cipher(member, f"steps-{minute}") == (rule, oid(CAN[cipher]))


def test_weak_by_policy_alone(s):
    """REQ-23, 24: triple DES to who can do no better, where the sender's domain allows it; RC2 never."""
    member = s.join("weak")
    s.says(member, "weak-says", "rc2", "3des")
    s.steps("weak-says", "capabilities")
    assert s.cipher(member, "weak-forbidden") == ("nothing-in-common", CBC_256)
    with s.policy(s.a, weak_algorithms=True):
        assert s.cipher(member, "weak-allowed") == ("3des", oid(CAN["3des"]))
        captured, _ = s.writes(member, "weak-of-another", f"bea@{B}", s.b)
        assert captured.cipher == CBC_256
    assert s.cipher(member, "weak-again") == ("nothing-in-common", CBC_256)


@pytest.mark.parametrize("name, bits, digest", [("small", 1024, hashes.SHA256()), ("sha1", 2048, hashes.SHA1())])
def test_weak_certificate_by_policy_alone(s, name, bits, digest):
    """REQ-24: an RSA key of 1024 bits and a certificate signed with SHA-1, where the sender's domain allows it and there
    is no better one; and what comes from there is read anyway."""
    member = s.member_with(name, certlab.rsa_key(name, bits), digest=digest)
    weak = member.leaves[0]
    s.send(member.domain, f"{name}-forbidden")
    assert "where 2048" in str(s.steps(f"{name}-forbidden", "discovery")) or bits == 2048
    assert s.held(member.domain)
    with s.policy(s.a, weak_algorithms=True):
        _, said = s.writes(member, f"{name}-allowed")
        assert said["cipher"] == "aes-256-cbc"
        assert "weak, and the partner has no better" in str(s.steps(f"{name}-allowed", "discovery"))
        s.submit(f"bea@{B}", [f"ann@{member.domain}"], simple(f"bea@{B}", [f"ann@{member.domain}"], f"{name}-b"), source=FROM_B)
        assert s.held(member.domain, s.b)
        s.says(member, f"{name}-writes", leaf=weak)
        if bits == 2048:  # Member has one key
            better = member.issue(not_before=NOW - 200 * DAY)
            s.publish(member.domain, weak, better)
            captured, _ = s.writes(member, f"{name}-better")
            assert captured.serial == better.certificate.serial_number


def test_replay_takes_nothing_back(s):
    """REQ-84: the newest signature has the say, whenever a mail comes; and times that cannot be are not heeded."""
    member = s.join("replay")
    s.says(member, "replay-1", "aes256-gcm", at=-10 * MINUTE)
    s.steps("replay-1", "capabilities")
    for name, at, outcome in (("older", -11 * MINUTE, "a newer mail says otherwise"),
                              ("much-older", -15 * DAY, "it was signed too long ago"),
                              ("ahead", 2 * 60 * MINUTE, "it was signed in the future")):
        s.says(member, f"replay-{name}", "3des", "aes128-cbc", at=at)
        assert s.steps(f"replay-{name}", "capabilities")[0]["outcome"] == outcome
    s.says(member, "replay-timeless", "3des", timed=False)
    assert s.steps("replay-timeless", "capabilities")[0]["outcome"] == "it does not say when it was signed"
    s.says(member, "replay-silent")
    assert s.cipher(member, "replay-kept") == ("aes256-gcm", oid(CAN["aes256-gcm"]))
    s.says(member, "replay-later", "aes128-cbc", at=-9 * MINUTE)
    s.steps("replay-later", "capabilities")
    assert s.cipher(member, "replay-replaced") == ("aes128-cbc", oid(CAN["aes128-cbc"]))
    # Of whom nothing is known, an old mail teaches nothing either.
    early = s.join("early")
    s.says(early, "early-1", "3des", at=-15 * DAY)
    assert s.cipher(early, "early-2")[0] == "unknown" and s.known(early) is None


def test_written_when_it_changes(s):
    """REQ-84: a mail that says what is known costs no write."""
    member = s.members["gcm.test"]
    before = s.platform.postgresql.psql("SELECT xmin, xmax, signed_at FROM sealgate.partner_capability"
                                        f" WHERE domain = '{member.domain}'")
    s.says(member, "gcm-again", "aes128-cbc", "aes256-cbc", "aes256-gcm", "3des", at=MINUTE)
    s.steps("gcm-again", "decided")
    assert s.platform.postgresql.psql("SELECT xmin, xmax, signed_at FROM sealgate.partner_capability"
                                      f" WHERE domain = '{member.domain}'") == before


def test_set_by_hand(s):
    """REQ-25, 84: GCM and OAEP to a partner that somebody vouches for; what it says itself counts again later."""
    member, api = s.join("hand"), s.platform.api
    can = ["aes256-gcm", "rsa-oaep"]
    row = api.put("/v1/partner-capabilities", {"domain": member.domain, "capabilities": can, "reason": "they told us"})
    assert (row["capabilities"], row["learned"], row["by_hand"]) == (can, [], can) and row["signed_at"] is None
    captured, said = s.writes(member, "hand-set")
    assert captured.authenticated and transport(captured) == OAEP
    assert (said["known_from"], said["key_transport"]) == ("set by hand", "rsa-oaep")
    s.says(member, "hand-says", "aes128-cbc")
    s.steps("hand-says", "capabilities")
    assert s.cipher(member, "hand-stays")[0] == "aes256-gcm"
    row = api.put("/v1/partner-capabilities", {"domain": member.domain, "learned": True})
    assert row["capabilities"] == row["learned"] == ["aes128-cbc"] and row["by_hand"] is None
    assert s.cipher(member, "hand-learned") == ("aes128-cbc", oid(CAN["aes128-cbc"]))
    api.delete(f"/v1/partner-capabilities/{row['id']}")
    assert s.cipher(member, "hand-forgotten") == ("unknown", CBC_256)
    entries = [e for e in api.list("/v1/audit") if e["object"] == "partner_capability"]
    assert {e["action"] for e in entries} == {"insert", "update", "delete"} and all(e["actor"] for e in entries)
    for body in ({"domain": member.domain}, {"domain": member.domain, "learned": True, "capabilities": can},
                 {"domain": member.domain, "capabilities": ["rot13"]}):
        with pytest.raises(Exception) as problem:
            api.put("/v1/partner-capabilities", body)
        assert problem.value.status == 422


def test_the_key_says_how_it_is_sealed_to(s):
    """REQ-25, 26: an elliptic curve by ECDH, where its key usage is keyAgreement; else it is not used at all."""
    member = s.curve("curve", "agree")
    s.send(member.domain, "curve-1", body="Marker-curve\r\n")
    raw = s.at_members("curve-1")[0].raw
    assert b"Marker-curve" not in raw and b"Marker-curve" in member.open(raw)
    said = s.steps("curve-1", "sealed")[0]
    assert (said["key_transport"], said["cipher"], said["rule"]) == ("ecdh", "aes-256-cbc", "unknown")
    unfit = s.curve("usage", "encrypt")
    s.send(unfit.domain, "usage-1")
    assert s.held(unfit.domain)[0]["reason"] == "201"
    assert "keyAgreement" in s.steps("usage-1", "certificate-candidate")[0]["detail"]


def test_what_is_not_proved_teaches_nothing(s):
    """REQ-45, 46, 47, 50, 84: neither a certificate nor capabilities, of whoever is not shown to be the sender."""
    liar, other = s.join("liar"), s.members["gcm.test"]
    before = s.known(other)
    person = s.ca.forge(liar.domain, key=liar.key, addresses=[f"pat@{liar.domain}"], common_name="Pat")
    late = s.ca.forge(liar.domain, key=liar.key, not_before=NOW - 20 * DAY, not_after=NOW - DAY)
    made = forge.self_made([f"{certlab.DCA}@{liar.domain}"], liar.folder)
    bad = forge.signature_of(liar.identity, b"something else")
    tries = {"altered": {"signature": bad}, "unsealed": {"seal": False},
             "foreign": {"author": f"pat@{other.domain}"}, "person": {"leaf": person}, "expired": {"leaf": late}}
    good = liar.leaves[0]
    for name, how in tries.items():
        s.says(liar, f"liar-{name}", "3des", verified=False, **how)
        liar.use(good)
    liar.identity = made
    s.says(liar, "liar-self-made", "3des", verified=False)
    liar.use(good)
    assert s.known(liar) is None and s.known(other) == before
    assert not s.platform.api.list("/v1/partner-certificates", domain=liar.domain)
    assert s.cipher(liar, "liar-after") == ("unknown", CBC_256)


def test_a_root_of_the_domains_own_teaches_nobody_else(s):
    """REQ-50, 83: what is good below a domain's further root is verified there; it is not learned from, and it
    replaces no certificate below an accredited one."""
    member = s.join("rooted")
    ca2 = further_ca(s.platform, "ca-2", s.ca2_port)
    ca2.start()
    try:
        s.platform.api.post(f"{s.a.domain_path}/trust-anchors", {"pem": ca2.anchor_pem})
        own = PlatformCA(ca2).forge(member.domain, key=member.key, not_before=NOW - DAY / 2)
        member.leaves.append(own)
        s.says(member, "rooted-says", "aes256-gcm", leaf=own)
        member.use(member.leaves[0])
        assert s.known(member) is None
        for path in (own.pem, own.helpers):
            s.platform.api.post("/v1/partner-certificates", {
                "domain": member.domain, "pem": path.read_text(encoding="ascii"), "origin": "by hand"})
        captured, said = s.writes(member, "rooted-first")
        assert captured.serial == own.certificate.serial_number  # there is no other in the store
        s.says(member, "rooted-2", "aes256-gcm")
        s.steps("rooted-2", "harvested")
        captured, said = s.writes(member, "rooted-then")
        assert captured.serial == member.leaves[0].certificate.serial_number, said
    finally:
        ca2.stop()


# Changed certificates ---------------------------------------------------------------------------------------


def renewed(s, name):
    """A member with a certificate that is in use, an older and a newer one."""
    member = s.join(name, not_before=NOW - 10 * DAY)
    member.old = member.leaves[0]
    assert s.writes(member, f"{name}-before")[0].serial == member.old.certificate.serial_number
    member.older = member.issue(not_before=NOW - 20 * DAY)
    member.new = member.issue(not_before=NOW - 2 * DAY)
    member.use(member.old)
    return member


def used(s, member, name, **how):
    """Which of its certificates is sealed to."""
    number = s.writes(member, name, **how)[0].serial
    return [leaf for leaf in member.leaves if leaf.certificate.serial_number == number][0]


def test_a_renewed_partner_is_used_at_once(s):
    """REQ-83, replace: the next mail goes to the newest; one that is older replaces nothing."""
    member = renewed(s, "replace")
    begun = time.monotonic()
    s.says(member, "replace-says", "aes256-gcm", leaf=member.new)
    s.steps("replace-says", "harvested")
    assert used(s, member, "replace-after") is member.new
    print(f"from the mail that brought it to its use: {time.monotonic() - begun:.2f} s")
    s.says(member, "replace-older", "aes256-gcm", leaf=member.older, at=MINUTE)
    s.steps("replace-older", "harvested")
    assert used(s, member, "replace-still") is member.new


def test_pinned_until_it_lapses(s):
    """REQ-83, pin: revoked is lapsed, and then what came meanwhile is there."""
    member = renewed(s, "pin")
    with s.policy(s.a, changed_certificate="pin"):
        s.says(member, "pin-says", "aes256-gcm", leaf=member.new)
        s.steps("pin-says", "harvested")
        assert used(s, member, "pin-after") is member.old
        assert used(s, member, "pin-of-another", author=f"bea@{B}", organisation=s.b) is member.new
        s.ca.make_crl([member.old.certificate])
        s.forget()
        assert used(s, member, "pin-lapsed") is member.new
        s.ca.fresh_lists()
        s.forget()


def pending(s, member):
    return s.platform.api.list("/v1/partner-certificates", domain=member.domain, state="pending")


def incident(s, row):
    found = [i for i in s.platform.api.list("/v1/incidents") if i["kind"] == "partner.changed"
             and row["id"] in i["summary"]]
    return found[0]["state"] if found else None


def test_an_administrator_is_asked(s):
    """REQ-83, ask: until somebody has approved the known one is used, and the new one teaches nothing; a domain
    that does not ask is not kept waiting."""
    member = renewed(s, "ask")
    with s.policy(s.a, changed_certificate="ask"):
        s.says(member, "ask-says", "aes256-gcm", leaf=member.new)
        row = wait_for(lambda: pending(s, member), 10, "the pending certificate")[0]
        assert incident(s, row) == "open" and member.domain in row["domain"]
        assert s.known(member) is None
        assert used(s, member, "ask-waits") is member.old
        looked_at = {c["serial"]: c for c in s.steps("ask-waits", "certificate-candidate")}
        assert "has yet to approve" in looked_at[member.new.serial]["detail"], looked_at
        assert used(s, member, "ask-of-another", author=f"bea@{B}", organisation=s.b) is member.new
        s.platform.api.post(f"/v1/partner-certificates/{row['id']}/approve")
        assert incident(s, row) == "resolved"
        assert used(s, member, "ask-approved") is member.new
        s.says(member, "ask-again", "aes256-gcm", leaf=member.new, at=MINUTE)
        wait_for(lambda: s.known(member), 10, "what it can do")


def test_a_refused_change_is_never_used(s):
    member = renewed(s, "refused")
    with s.policy(s.a, changed_certificate="ask"):
        s.says(member, "refused-says", leaf=member.new)
        row = wait_for(lambda: pending(s, member), 10, "the pending certificate")[0]
        s.platform.api.post(f"/v1/partner-certificates/{row['id']}/refuse")
        assert incident(s, row) == "resolved"
        s.says(member, "refused-again", leaf=member.new)
        assert used(s, member, "refused-1") is member.old
    assert used(s, member, "refused-2") is member.old
    assert used(s, member, "refused-3", author=f"bea@{B}", organisation=s.b) is member.old


def dry_run(s, domain):
    """The plan for a mail to it."""
    message = simple(f"joe@{A}", [f"pat@{domain}"], "dry")
    answer = s.platform.api.post(f"{s.a.path}/simulations", {
        "direction": "outbound", "sender": f"joe@{A}", "recipients": [f"pat@{domain}"],
        "message": base64.b64encode(message).decode()})
    return answer["plans"][0]


def test_a_dry_run_knows_what_waits_and_what_was_refused(s):
    """REQ-54: it answers as the mail would be treated, and changes nothing of it."""
    member = s.join("dry")

    def stored():
        return s.platform.api.list("/v1/partner-certificates", domain=member.domain)
    assert (dry_run(s, member.domain)["action"], stored()) == ("seal", [])
    with s.policy(s.a, discovery_approval=True):
        assert dry_run(s, member.domain)["action"] == "hold"
        assert stored() == []
    s.writes(member, "dry-1")
    for row in stored():  # its CA's are among them, and are none to seal to
        s.platform.api.post(f"/v1/partner-certificates/{row['id']}/refuse")
    assert dry_run(s, member.domain)["action"] == "hold"
    s.send(member.domain, "dry-2")
    assert s.held(member.domain)


# Our own ----------------------------------------------------------------------------------------------------


def signed_data(member, raw):
    """Of our mail: the parts of its SignedData, and of its one SignerInfo."""
    head, _, body = raw.partition(b"\r\n\r\n")
    content = b"".join(line + b"\r\n" for line in head.replace(b"\r\n\t", b" ").replace(b"\r\n ", b" ").split(b"\r\n")
                       if line.lower().startswith(b"content-"))
    entity = member.software.decrypt(content + b"\r\n" + body).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    _, signature = peers.split_signed(entity)
    parts = forge.elements(forge.elements(forge.elements(forge.elements(signature)[0][1])[1][1])[0][1])
    return parts, forge.elements(forge.elements(parts[-1][1])[0][1])


def test_what_travels_with_our_signature(s):
    """REQ-70, 71: the certificate and its issuers; what we can do, the best first, nothing weak among it."""
    member = s.members["gcm.test"]
    s.writes(member, "wire-signature")
    parts, info = signed_data(member, s.at_members("wire-signature")[0].raw)
    certificates = [x509.load_der_x509_certificate(c[2]) for c in forge.elements(parts[3][1])]
    assert certificates[0].serial_number == forge.load(s.ours[A].certificate).serial_number
    assert [c.subject for c in certificates[1:]] == [certificates[0].issuer]
    attributes = {a[0][2]: a[1][1] for a in (forge.elements(a[1]) for a in forge.elements(info[3][1]))}
    (_, listed, _), = forge.elements(attributes[CAPABILITIES])
    can = [forge.elements(c[1])[0][2] for c in forge.elements(listed)]
    ciphers = [name for c in can for name, number in CAN.items() if oid(number) == c]
    assert ciphers == ["aes256-gcm", "aes256-cbc", "aes128-gcm", "aes192-cbc", "aes128-cbc"]


def test_two_certificates_of_our_own(s):
    """REQ-37, 38: the newest signs, and what was sealed to either is opened."""
    member, before = s.members["gcm.test"], s.ours[A]
    first = s.a.key
    answer = s.a.api.post(f"{s.a.domain_path}/keys", {"algorithm": "rsa-2048", "kind": "wrapped"})
    s.a.api.job_done(s.a.tenant["id"], answer["job"], timeout=120)
    s.a.key = answer["key"]
    pem = s.platform.refca.issue(s.a.csr(), "--overlap")
    s.a.install(pem)
    s.a.key = first
    newest = x509.load_pem_x509_certificate(pem.encode())
    s.writes(member, "two-signs")
    _, info = signed_data(member, s.at_members("two-signs")[0].raw)
    assert int.from_bytes(forge.elements(info[1][1])[1][1], "big") == newest.serial_number
    path = s.platform.layout.dir / "newest.pem"
    path.write_text(pem, encoding="ascii")
    s.says(member, "two-old", "aes256-gcm", at=MINUTE)
    s.ours[A] = peers.Identity(A, path, None, [])
    try:
        s.says(member, "two-new", "aes256-gcm", at=MINUTE)
    finally:
        s.ours[A] = before
