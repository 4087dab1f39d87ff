"""Domains whose keys are on P-256 and P-384: ordered, certified, published, and in the mail of a day.
REQ-22 REQ-24 REQ-25 REQ-37 REQ-38 REQ-45 REQ-160 REQ-163

Agency A has a token key on P-256, agency B a wrapped one on P-384, agency C begins with RSA. The partner
elsewhere is openssl with a key on either curve."""
import tempfile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import corpus
import peers
from partners import Partner, from_directory
from sealgate import provision
from sealgate.mailserver import MailServer
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, C, FROM_A, FROM_B, Setting, header, simple
from test_interop_gateway import entity_of, step, wire

PARTNERS = {"p256-partner.test": "P-256", "p384-partner.test": "P-384"}
ENTITY = (b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit"
          b"\r\n\r\nTena koe, from a curve: \xc4\x81.\r\n")


class Curves(Setting):
    KEYS = {A: {"algorithm": "ec-p256"}, B: {"algorithm": "ec-p384", "key_kind": "wrapped"},
            C: {"key_kind": "wrapped"}}

    def __init__(self, folder, block):
        self.partners_port = block.base + 18
        super().__init__(folder, block, {domain: self.partners_port for domain in PARTNERS},
                         settings={"tenantd": {"jobs.poll": "200ms"}})
        self.servers["partners"] = MailServer(self.partners_port, f"{folder}/mail/partners")
        self.partner, self.software = {}, {}

    def start(self):
        super().start()
        for domain, curve in PARTNERS.items():
            self.partner[domain] = Partner(
                self.platform, domain, None, key=("ec", "-pkeyopt", f"ec_paramgen_curve:{curve}"))
            self.software[domain] = peers.OpenSsl(self.platform.layout.dir,
                                                  self.platform.layout.ca / "root.pem")
            self.software[domain].own(self.partner[domain].identity)
        self.platform.refca.publish()
        self.platform.refca.list_add("SEEMAIL2", *PARTNERS)
        return self

    def certificate(self, domain):
        """As anybody finds it by LDAP."""
        identity = from_directory(self.platform, domain, self.platform.layout.dir / "found")
        return identity, x509.load_pem_x509_certificate(identity.certificate.read_bytes())

    def trace(self, organisation, subject, last):
        def found():
            for row in organisation.messages(message_id=f"{subject}@x.test"):
                rows = organisation.trace(row["id"])
                if any(r["step"] == last for r in rows):
                    return rows
            return None
        return wait_for(found, 20, f"{last} in the trace of {subject}")


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgc", dir="/var/tmp") as folder:
        s = Curves(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


def test_certificates(setting):
    """REQ-163: one certificate signs and agrees; the key is named to the API as what it is."""
    for organisation, domain, curve, algorithm in ((setting.a, A, ec.SECP256R1, "ec-p256"),
                                                   (setting.b, B, ec.SECP384R1, "ec-p384")):
        certificate = setting.certificate(domain)[1]
        assert isinstance(certificate.public_key().curve, curve)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        assert usage.digital_signature and usage.key_agreement and not usage.key_encipherment
        key = organisation.api.get(f"{organisation.domain_path}/keys/{organisation.key['id']}")
        assert (key["algorithm"], key["state"]) == (algorithm, "active")
        assert serialization.load_pem_public_key(key["public_key_pem"].encode()).public_numbers() == \
            certificate.public_key().public_numbers()


WAYS = [(A, B, FROM_A, "sha256", "ecdh"), (B, A, FROM_B, "sha384", "ecdh"),
        (A, C, FROM_A, "sha256", "rsa"), (B, C, FROM_B, "sha384", "rsa")]


@pytest.mark.parametrize("sender,to,source,digest,transport", WAYS, ids=[f"{w[0]}-{w[1]}" for w in WAYS])
def test_mail_between_domains(setting, sender, to, source, digest, transport):
    """REQ-22 REQ-24 REQ-25: sealed on the wire, verified where it arrives."""
    subject = f"from-{sender}-to-{to}"
    setting.submit(f"ann@{sender}", [f"joe@{to}"],
                   simple(f"ann@{sender}", [f"joe@{to}"], subject, "Nobody reads this.\r\n"),
                   source=source)
    mail, = setting.arrived(to, subject)
    assert header(mail.raw, "X-Sealgate-Verdict") == f"verified; domain={sender}"
    assert b"Nobody reads this." in mail.raw
    seen, = setting.on_wire(subject)
    assert b"Nobody reads this." not in seen[1]
    receiver = {A: setting.a, B: setting.b, C: setting.c}[to]
    trace = setting.trace(receiver, subject, "next-hop")
    signature = step(trace, "signature")["detail"]
    assert (signature["result"], signature["digest"], signature["algorithm"]) == ("ok", digest, "ecdsa")
    assert step(trace, "envelope")["detail"]["transport"].startswith(transport)


@pytest.mark.parametrize("domain", PARTNERS)
def test_a_partner_elsewhere(setting, domain):
    """REQ-17 REQ-24 REQ-25: both ways, by ECDSA and ECDH, with SHA-1, SHA-256 and SHA-384 in the KDF."""
    peer = setting.software[domain]
    for organisation, agency, source in ((setting.a, A, FROM_A), (setting.b, B, FROM_B)):
        identity = setting.certificate(agency)[0]
        for kdf in ("sha1", "sha256", "sha384"):
            subject = f"{domain}-{agency}-{kdf}"
            sealed = peer.encrypt(peer.sign(ENTITY), identity, "aes256-cbc", recipients=[
                "-recip", identity.certificate, "-keyopt", f"ecdh_kdf_md:{kdf}"])
            head = simple(f"joe@{domain}", [f"ann@{agency}"], subject).partition(b"\r\n\r\n")[0]
            setting.from_outside(f"joe@{domain}", [f"ann@{agency}"],
                                 head + b"\r\nX-NZ-Secure-email: 1.0\r\n" + wire(sealed))
            mail, = setting.arrived(agency, subject)
            assert header(mail.raw, "X-Sealgate-Verdict") == f"verified; domain={domain}"
            assert entity_of(mail.raw) == entity_of(ENTITY)
            assert step(setting.trace(organisation, subject, "next-hop"),
                        "envelope")["detail"]["transport"] == "ecdh"
        subject = f"{agency}-{domain}"
        head = simple(f"ann@{agency}", [f"joe@{domain}"], subject).partition(b"\r\n\r\n")[0]
        setting.submit(f"ann@{agency}", [f"joe@{domain}"], head + b"\r\n" + ENTITY, source=source)
        got, = setting.arrived("partners", subject)
        assert corpus.split(ENTITY)[1].strip() not in got.raw
        assert peer.verify(peer.decrypt(entity_of(got.raw))) == ENTITY


def test_wrong_keys_look_alike(setting):
    """REQ-22: a key that does not unwrap, and a point that is on no curve, end as any message that cannot
    be decrypted: with the warning, at once, and hsmd has failed at nothing."""
    peer = setting.software["p256-partner.test"]
    identity = setting.certificate(A)[0]
    sealed = peers.cms_of(wire(peer.encrypt(peer.sign(ENTITY), identity, "aes256-cbc")))
    point = sealed.index(bytes.fromhex("0342 0004"))
    wrapped = sealed.index(bytes.fromhex("0428"), point)
    verdicts = set()
    for name, at in (("point", point + 20), ("key", wrapped + 10)):
        broken = bytearray(sealed)
        broken[at] ^= 1
        subject = f"broken-{name}"
        head = simple("joe@p256-partner.test", [f"ann@{A}"], subject).partition(b"\r\n\r\n")[0]
        setting.from_outside("joe@p256-partner.test", [f"ann@{A}"],
                             head + b"\r\nMIME-Version: 1.0\r\n"
                             + peers.cms_entity(bytes(broken), "enveloped-data"))
        mail, = setting.arrived(A, subject)
        detail = step(setting.trace(setting.a, subject, "next-hop"), "envelope")["detail"]
        verdicts.add((header(mail.raw, "X-Sealgate-Verdict"), detail["result"], detail["detail"]))
    verdict, = verdicts
    assert verdict[0].startswith("unverified") and verdict[1] == "undecryptable"


def test_from_rsa_to_a_curve(setting):
    """REQ-37 REQ-38: the newest certificate signs, by ECDSA; what was sealed to the RSA one is opened too."""
    peer, domain = setting.software["p384-partner.test"], "p384-partner.test"
    api, c = setting.platform.api, setting.c
    old, certificate = setting.certificate(C)
    assert isinstance(certificate.public_key(), rsa.RSAPublicKey)
    made = api.post(f"{c.domain_path}/keys", {"algorithm": "ec-p256", "kind": "token"})
    api.job_done(c.tenant["id"], made["job"])
    c.key = api.get(f"{c.domain_path}/keys/{made['key']['id']}")
    c.certify(lambda text: None, "--overlap")
    c.publish()
    pem = c.certificate["pem"]
    assert isinstance(x509.load_pem_x509_certificate(pem.encode()).public_key().curve, ec.SECP256R1)
    path = setting.platform.layout.dir / "found" / "new.pem"
    path.write_text(pem)
    new = peers.Identity("new", path, None)
    for name, identity, transport in (("old", old, "rsa-pkcs1"), ("new", new, "ecdh")):
        subject = f"sealed-to-the-{name}"
        head = simple(f"joe@{domain}", [f"ann@{C}"], subject).partition(b"\r\n\r\n")[0]
        sealed = peer.encrypt(peer.sign(ENTITY), identity, "aes256-cbc")
        setting.from_outside(f"joe@{domain}", [f"ann@{C}"],
                             head + b"\r\nX-NZ-Secure-email: 1.0\r\n" + wire(sealed))
        mail, = setting.arrived(C, subject)
        assert header(mail.raw, "X-Sealgate-Verdict") == f"verified; domain={domain}"
        assert step(setting.trace(c, subject, "next-hop"), "envelope")["detail"]["transport"] == transport


def test_an_order_of_a_key_on_a_curve(setting):
    """REQ-45 REQ-160: an authority that wants P-384 certifies a key on it over EST, by itself."""
    api = setting.platform.api
    authority = provision.authority(setting.platform, name="Curves", key_algorithm="ec-p384",
                                    key_kind="token")
    assert authority["key_algorithm"] == "ec-p384"
    d = setting.platform.organisation("Agency D", "agency-d.test")
    d.configure()
    api.put(f"{d.domain_path}/authority", {"authority_id": authority["id"]})
    row = wait_for(lambda: api.find(f"{d.domain_path}/certificates", state="active"), 60,
                   "the certificate")
    assert api.get(f"{d.domain_path}/keys/{row['key_id']}")["algorithm"] == "ec-p384"
    certificate = x509.load_pem_x509_certificate(row["pem"].encode())
    assert isinstance(certificate.public_key().curve, ec.SECP384R1)
