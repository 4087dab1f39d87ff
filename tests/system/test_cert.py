"""gatewayd/cert: every failure of REQ-36 told apart, revocation lists, discovery by LDAP (REQ-192).

On a real slapd and the reference CA's HTTP server. SG_BUILD names the build directory.
"""
import datetime as dt
import itertools
import pathlib
import shutil
import socket
import ssl
import tempfile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

import forge
from certlab import CA, DAY, DCA, DER, NOW, Probe, Slapd, rsa_key, run, wait_for
from sealgate.ports import PortBlock

MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)


class Lab:
    def __init__(self, folder, ports):
        self.folder = pathlib.Path(folder)
        self.ca = CA(self.folder / "ca", ports.base, "--ldap-url",
                     f"ldap://127.0.0.1:{ports.base + 1}/cn=Lab%20CA,c=NZ"
                     "?certificateRevocationList;binary?base", "--name", "Lab CA")
        self.other = CA(self.folder / "other", ports.base + 3, "--name", "Lab CA")
        self.slapd = Slapd(self.folder / "ldap", ports.base + 1, ports.base + 2)
        self.free_port = ports.base + 4
        self.probes = []
        self.numbers = itertools.count()
        self.serial_domain = itertools.count()

    def probe(self, folder=None, anchors=None, directories=(), **limits):
        probe = Probe(folder or self.folder / f"probe{next(self.numbers)}",
                      [self.ca.folder / "root.cer"] if anchors is None else anchors, directories,
                      **limits)
        self.probes.append(probe)
        return probe

    def domain(self):
        return f"d{next(self.serial_domain)}.test"

    def publish(self):
        self.ca("publish", *self.slapd.bind)

    def ldap(self):
        return [(self.slapd.url, None)]

    def ldaps(self):
        return [(self.slapd.tls_url, self.slapd.certificate)]


@pytest.fixture(scope="module")
def place():
    folder = tempfile.mkdtemp(prefix="sealgate-cert-", dir="/tmp")
    with PortBlock() as ports:
        made = Lab(folder, ports)
        made.ca.server.start()
        made.slapd.server.start()
        try:
            yield made
        finally:
            made.ca.server.stop()
            made.slapd.server.stop()
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def lab(place):
    """Servers up, lists fresh, and no probe left over; one that died badly fails its test."""
    place.ca.fresh_lists()
    yield place
    for server in (place.ca.server, place.slapd.server):
        if server.process:
            server.thaw()
        else:
            server.start()
    probes, place.probes = place.probes, []
    for probe in probes:
        probe.close()


@pytest.fixture(scope="module")
def good(place):
    return place.ca.issue("a.test")


# Judging one certificate ------------------------------------------------------------------------


def test_valid(lab, good):
    """REQ-36, 46, 47: and the facts are those that openssl sees."""
    answer = lab.probe().check(good)
    assert answer["status"] == "valid"
    assert answer["serial"] == good.serial
    assert answer["address"] == f"{DCA}@a.test"
    text = run("openssl", "x509", "-inform", "der", "-in", good.path, "-noout", "-subject",
               "-issuer", "-nameopt", "RFC2253", "-fingerprint", "-sha256").stdout.decode()
    assert f"subject={answer['subject']}\n" in text
    assert f"issuer={answer['issuer']}\n" in text
    assert answer["sha256"] in text.lower().replace(":", "")
    assert lab.probe().check(good, use="sign")["status"] == "valid"
    assert lab.probe().check(good, domain="A.TEST")["status"] == "valid"


def test_expired(lab):
    """REQ-36 (103), with the tolerance of clocks."""
    leaf = lab.ca.issue("expired.test", "--not-before", (NOW - 200 * DAY).isoformat(),
                        "--not-after", (NOW - DAY).isoformat())
    probe = lab.probe(clock_tolerance_ms=60000)
    answer = probe.check(leaf, "expired.test")
    assert (answer["status"], answer["detail"]) == (
        "expired", f"expired 1 day ago, on {(NOW - DAY).isoformat()}Z")
    lab.ca("crl", "--this-update", (NOW - 3 * DAY).isoformat())
    assert probe.check(leaf, "expired.test", now=NOW - DAY + MINUTE)["status"] == "valid"
    assert probe.check(leaf, "expired.test",
                       now=NOW - DAY + 2 * MINUTE)["status"] == "expired"


def test_not_yet_valid(lab):
    """REQ-36 (105)."""
    leaf = lab.ca.issue("early.test", "--not-before", (NOW + DAY).isoformat())
    probe = lab.probe(clock_tolerance_ms=60000)
    answer = probe.check(leaf, "early.test", now=NOW)
    assert (answer["status"], answer["detail"]) == (
        "not-yet-valid", f"valid only in 1 day, from {(NOW + DAY).isoformat()}Z on")
    assert probe.check(leaf, "early.test", now=NOW + DAY - MINUTE)["status"] == "valid"
    assert probe.check(leaf, "early.test", now=NOW + DAY - 2 * MINUTE)["status"] == "not-yet-valid"


def test_revoked(lab):
    """REQ-36 (101)."""
    domain = lab.domain()
    leaf = lab.ca.issue(domain)
    lab.ca("revoke", leaf.path, "--reason", "keyCompromise")
    answer = lab.probe().check(leaf, domain)
    assert answer["status"] == "revoked"
    assert answer["detail"].startswith("revoked since 20")
    assert answer["detail"].endswith("(keyCompromise)")


def test_suspended_and_restored(lab):
    """REQ-36 (101): a suspension ends."""
    domain = lab.domain()
    leaf = lab.ca.issue(domain)
    probe = lab.probe(crl_refresh_ms=50, verdict_ttl_ms=1)
    assert probe.check(leaf, domain)["status"] == "valid"
    lab.ca("revoke", leaf.path, "--reason", "certificateHold")
    answer = wait_for(lambda: (a := probe.check(leaf, domain))["status"] != "valid" and a)
    assert answer["status"] == "revoked"
    assert answer["detail"].startswith("suspended since 20")
    lab.ca("restore", leaf.path)
    wait_for(lambda: probe.check(leaf, domain)["status"] == "valid")


def test_untrusted(lab, good):
    """REQ-36 (102): another CA, of the same name even; no CA at all; no way to the CA."""
    foreign = lab.other.issue("a.test", key=rsa_key("a.test"))
    probe = lab.probe()
    answer = probe.check(foreign)
    assert answer["status"] == "untrusted"
    assert "X509_V_ERR" in answer["detail"]

    answer = lab.probe().check(good, helpers=False)
    assert answer["status"] == "untrusted"
    assert "unable to get local issuer certificate" in answer["detail"]
    assert lab.probe(anchors=[]).check(good)["status"] == "untrusted"

    key = rsa_key("self")
    name = x509.Name([])
    own = lab.ca.save(
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(1).not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.RFC822Name(f"{DCA}@a.test")]), False)
        .sign(key, hashes.SHA256()))
    assert lab.probe().check(own)["status"] == "untrusted"
    # REQ-178: not even where somebody made an anchor of it, for it is no CA.
    assert lab.probe(anchors=[own.path]).check(own)["status"] == "untrusted"


def test_untrusted_comes_first(lab):
    """What an unknown CA says of time and name is not repeated as if it were known."""
    leaf = lab.other.forge("b.test", not_after=NOW - HOUR)
    assert lab.probe().check(leaf)["status"] == "untrusted"


# Further roots of a domain (REQ-180) ------------------------------------------------------------------


@pytest.fixture
def private(lab):
    """A CA that nobody accredited, with lists that can be had."""
    lab.other.server.start()
    lab.other.fresh_lists()
    yield lab.other
    lab.other.server.stop()


@pytest.mark.parametrize("first", ["dom_a", "dom_b"])
def test_further_root_is_of_one_domain(lab, private, good, first):
    """REQ-180: whoever asks first, with one cache: good for A, neither for B nor for nobody."""
    domain = lab.domain()
    leaf = private.issue(domain)
    probe = lab.probe(further_private=1)
    probe.domain_anchors("dom_a", [private.folder / "root.cer"])
    order = ["dom_a", "dom_b", None] if first == "dom_a" else ["dom_b", None, "dom_a"]
    for _ in range(2):
        for who in order:
            answer = probe.relying(who).check(leaf, domain, use="sign")
            assert answer["status"] == ("valid" if who == "dom_a" else "untrusted"), who
            assert ("by a root of the domain's own" in answer["detail"]) == (who == "dom_a")
    # A's is remembered, and for A alone; what an accredited root makes good is so for all.
    assert probe.relying("dom_a").check(good)["status"] == "valid"
    away = probe.folder / "away"
    away.touch()
    assert probe.check(leaf, domain, use="sign")["status"] == "valid"
    for who in ("dom_a", "dom_b", None):
        assert probe.relying(who).check(good)["status"] == "valid"
    assert "error" in probe.relying("dom_b").check(leaf, domain, use="sign")
    assert probe.relying(None).check(leaf, domain, use="sign")["status"] == "untrusted"
    away.unlink()
    # Without the root it is not good any more.
    probe.domain_anchors("dom_a", [])
    probe.flush()
    for who in order:
        assert probe.relying(who).check(leaf, domain, use="sign")["status"] == "untrusted"


def test_further_root_lifts_nothing_else(lab, private):
    """REQ-180: name, use, time and revocation are looked at as of any certificate."""
    domain = lab.domain()
    leaf, revoked = private.issue(domain), private.issue(f"revoked.{domain}")
    private("revoke", revoked.path, "--reason", "keyCompromise")
    probe = lab.probe(further_private=1).relying("dom_a")
    probe.domain_anchors("dom_a", [private.folder / "root.cer"])
    assert probe.check(leaf, domain)["status"] == "valid"
    assert probe.check(leaf, "elsewhere.test")["status"] == "mismatch"
    assert probe.check(revoked, f"revoked.{domain}")["status"] == "revoked"
    assert probe.check(leaf, domain, now=NOW + 400 * DAY)["status"] == "expired"
    assert probe.check(private.forge(domain, usage="sign"), domain)["status"] == "unsuitable"
    unlisted = private.forge(domain, points=[])
    assert probe.check(unlisted, domain)["status"] == "status-unknown"
    # A leaf is no root, nor is a CA that is trusted a certificate to seal to.
    probe.domain_anchors("dom_b", [leaf.path])
    assert probe.relying("dom_b").check(leaf, domain)["status"] == "untrusted"


def test_further_root_does_not_outdo_an_accredited_one(lab):
    """What the accredited CA revoked stays so, even where a domain has that CA's root itself."""
    domain = lab.domain()
    leaf = lab.ca.issue(domain)
    lab.ca("revoke", leaf.path, "--reason", "keyCompromise")
    probe = lab.probe(further_private=1).relying("dom_a")
    probe.domain_anchors("dom_a", [lab.ca.folder / "root.cer", lab.ca.folder / "issuing.cer"])
    assert probe.check(leaf, domain)["status"] == "revoked"


@pytest.mark.parametrize("first", ["dom_a", "dom_b"])
def test_discovered_by_a_further_root(lab, private, first):
    """REQ-180: what the directory brought and A trusts is stored; B trusts it no more than before."""
    domain = lab.domain()
    leaf = private.issue(domain)
    lab.slapd.put(domain, [leaf])
    probe = lab.probe(directories=lab.ldap(), further_private=1)
    # The directory has no CA of it: the issuing one is the root that A trusts.
    probe.domain_anchors("dom_a", [private.folder / "issuing.cer"])
    for who in (first, "dom_a", "dom_b", "dom_a", "dom_b"):
        answer = probe.relying(who).discover(domain)
        assert answer["found"] == (who == "dom_a"), who
        if who == "dom_b":
            assert (answer["any"], answer["status"]) == (1, "untrusted")
    assert list((probe.folder / "partners" / domain).iterdir())
    probe.domain_anchors("dom_a", [])
    probe.flush()
    assert probe.relying("dom_a").discover(domain)["found"] == 0


def test_issuing_ca_as_anchor(lab, good):
    """REQ-15: any accredited CA; it need not be a root."""
    probe = lab.probe(anchors=[lab.ca.folder / "issuing.cer"])
    assert probe.check(good, helpers=False)["status"] == "valid"


def test_issuer_is_remembered(lab, good):
    """REQ-81: what one message brought along serves the next."""
    probe = lab.probe()
    assert probe.check(good)["status"] == "valid"
    probe.flush()
    assert probe.check(good, helpers=False)["status"] == "valid"


def test_names(lab):
    """REQ-47, 48."""
    probe = lab.probe()
    answer = probe.check(lab.ca.issue(lab.domain()))
    assert answer["status"] == "mismatch"
    assert "is not of the domain a.test" in answer["detail"]
    answer = probe.check(lab.ca.forge("a.test", addresses=[]))
    assert (answer["status"], answer["detail"]) == ("mismatch", "it carries no mail address")
    for trick in (f"{DCA}@a.test\0.evil.test", f"{DCA}@evil.test\0@a.test", f"{DCA}@a.test ",
                  f"{DCA}@sub.a.test", f"{DCA}@a.test.evil.test"):
        assert probe.check(lab.ca.forge("a.test", addresses=[trick]))["status"] == "mismatch"
    assert probe.check(lab.ca.forge("a.test", addresses=[], email=f"{DCA}@a.test")
                       )["status"] == "valid"
    assert probe.check(lab.ca.forge("a.test", addresses=["x@other.test", f"{DCA}@a.test"])
                       )["status"] == "valid"


@pytest.mark.parametrize("use, options, words", [
    ("encrypt", {"usage": "sign"}, "keyEncipherment"),
    ("sign", {"usage": "encrypt"}, "digitalSignature"),
    ("sign", {"extended": [ExtendedKeyUsageOID.SERVER_AUTH]}, "emailProtection"),
    ("encrypt", {"digest": hashes.SHA1()}, "sha1"),
    ("encrypt", {"key": rsa_key("small", 1024)}, "1024 bits"),
    ("encrypt", {"key": ec.generate_private_key(ec.SECP256R1()), "usage": True}, "keyAgreement"),
    ("encrypt", {"key": ec.generate_private_key(ec.SECP521R1()), "usage": "agree"}, "EC"),
])
def test_unsuitable(lab, use, options, words):
    """REQ-23: our own policy, and its words."""
    answer = lab.probe().check(lab.ca.forge("a.test", **options), use=use)
    assert answer["status"] == "unsuitable"
    assert words in answer["detail"]


@pytest.mark.parametrize("options, words", [
    ({"digest": hashes.SHA1()}, "sha1"), ({"key": rsa_key("small", 1024)}, "1024 bits"),
    ({"digest": hashes.SHA1(), "key": rsa_key("small", 1024)}, "sha1"),
])
def test_weak_to_encrypt_to(lab, options, words):
    """REQ-24: for who will have it, and for nobody else, in whatever order they ask."""
    leaf = lab.ca.forge("a.test", **options)
    probe = lab.probe()
    for will_do in (False, True, False, True):
        answer = probe.weak(will_do).check(leaf)
        assert answer["status"] == ("valid" if will_do else "unsuitable")
        assert words in answer["detail"] and ("weak, and the partner has no better" in answer["detail"]) == will_do
    assert "weak" not in probe.check(lab.ca.forge("a.test"))["detail"]


@pytest.mark.parametrize("options, words", [
    ({"key": rsa_key("tiny", 1016)}, "1016 bits"), ({"digest": hashes.MD5()}, "md5"),
    ({"key": rsa_key("small", 1024), "usage": "sign"}, "keyEncipherment"),
    ({"key": rsa_key("small", 1024), "extended": [ExtendedKeyUsageOID.SERVER_AUTH]}, "emailProtection"),
    ({"key": ec.generate_private_key(ec.SECP224R1()), "usage": "agree"}, "EC"),
])
def test_too_weak(lab, options, words):
    """REQ-24: RSA below 1024 bits and MD5 never; and all else is asked of a weak one too."""
    answer = lab.probe().weak(True).check(lab.ca.forge("a.test", **options))
    assert answer["status"] == "unsuitable" and words in answer["detail"]


@pytest.mark.parametrize("exponent, good", [(1, False), (2, False), (3, True), (2 ** 64 - 59, True),
                                            (2 ** 64 + 13, False)])
def test_exponents(lab, exponent, good):
    """REQ-23: what is encrypted with the exponent 1 is not; and a long one makes work without end."""
    numbers = rsa_key("forged").public_key().public_numbers()
    public = lab.ca.folder / "exponent.pub"
    bits = forge.seq(forge.integer(numbers.n), forge.integer(exponent))
    key = forge.seq(forge.seq(forge.oid("1.2.840.113549.1.1.1"), b"\5\0"), forge.der(0x03, b"\0" + bits))
    public.write_text(ssl.DER_cert_to_PEM_cert(key).replace("CERTIFICATE", "PUBLIC KEY"))
    leaf = lab.ca.openssl("a.test", "-sha256", "-force_pubkey", public)
    answers = [lab.probe().check(leaf, use=use) for use in ("encrypt", "sign")]
    assert [answer["status"] for answer in answers] == ["valid" if good else "unsuitable"] * 2
    assert good or all("public exponent" in answer["detail"] for answer in answers)


@pytest.mark.parametrize("options", [
    {"usage": "sign"}, {"digest": hashes.SHA1()}, {"key": rsa_key("small", 1024)},
    {"key": ec.generate_private_key(ec.SECP256R1())}, {"key": ec.generate_private_key(ec.SECP384R1())},
    {"digest": hashes.SHA512()},
    {"extended": None}, {"extended": [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]},
])
def test_suitable_to_verify(lab, options):
    """REQ-24: accepted when received."""
    assert lab.probe().check(lab.ca.forge("a.test", **options), use="sign")["status"] == "valid"


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()], ids=lambda c: c.name)
def test_curves_to_encrypt_to(lab, curve):
    """REQ-25: by ECDH, where the key may agree on others."""
    leaf = lab.ca.forge("a.test", key=ec.generate_private_key(curve), usage="agree")
    assert lab.probe().check(leaf)["status"] == "valid"


@pytest.mark.parametrize("curve", [ec.SECP256K1(), ec.BrainpoolP256R1(), ec.SECP224R1()], ids=lambda c: c.name)
def test_curves(lab, curve):
    """REQ-23: P-256, P-384 and P-521 alone."""
    answer = lab.probe().check(lab.ca.forge("a.test", key=ec.generate_private_key(curve)), use="sign")
    assert answer["status"] == "unsuitable"
    assert "a key of type EC" in answer["detail"]


def test_curve_with_its_parameters(lab):
    """CVE-2020-0601: a curve that comes along may be made to fit somebody else's public key."""
    key, public = lab.ca.folder / "explicit.pem", lab.ca.folder / "explicit.pub"
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-param_enc", "explicit", "-out", key)
    run("openssl", "ec", "-in", key, "-pubout", "-param_enc", "explicit", "-out", public)
    answer = lab.probe().check(lab.ca.openssl("a.test", "-sha256", "-force_pubkey", public), use="sign")
    assert answer["status"] in ("unsuitable", "untrusted")  # ours, and OpenSSL's own


def test_tolerance_of_clocks_at_its_edge(lab):
    """REQ-36: to the second, at both ends."""
    leaf = lab.ca.forge("a.test", not_before=NOW - 10 * MINUTE, not_after=NOW + 10 * MINUTE)
    lab.ca("crl", "--this-update", (NOW - DAY).isoformat())
    for seconds, status in ((60, "valid"), (61, "expired")):
        at = NOW + 10 * MINUTE + dt.timedelta(seconds=seconds)
        assert lab.probe(clock_tolerance_ms=60000).check(leaf, now=at)["status"] == status
    for seconds, status in ((60, "valid"), (61, "not-yet-valid")):
        at = NOW - 10 * MINUTE - dt.timedelta(seconds=seconds)
        assert lab.probe(clock_tolerance_ms=60000).check(leaf, now=at)["status"] == status


def test_signatures_of_the_ca(lab):
    """MD5 never; PSS is understood."""
    md5 = lab.ca.openssl("a.test", "-md5")
    for use in ("sign", "encrypt"):
        answer = lab.probe().check(md5, use=use)
        assert answer["status"] == "unsuitable"
        assert "md5" in answer["detail"]
    pss = lab.ca.openssl("a.test", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt",
                         "rsa_pss_saltlen:32")
    assert lab.probe().check(pss)["status"] == "valid"


def test_storage_away(lab, good):
    """The one thing that is no verdict."""
    probe = lab.probe()
    (probe.folder / "away").touch()
    assert probe.check(good)["error"] == "SG_E_DB_UNAVAILABLE"
    assert probe.discover()["error"] == "SG_E_DB_UNAVAILABLE"
    (probe.folder / "away").unlink()
    assert probe.check(good)["status"] == "valid"


# Revocation lists -------------------------------------------------------------------------------


def test_no_list_to_be_had(lab):
    """REQ-36 (104): no answer; nobody tries again at once; other processes find it later."""
    domain = lab.domain()
    leaf = lab.ca.forge(domain)
    lab.ca.server.stop()
    probe = lab.probe()
    answer = probe.check(leaf, domain)
    assert answer["status"] == "status-unknown"
    assert ("not known whether it is revoked: the revocation list of "
            f"{lab.ca.url} could not be had: Connection refused") in answer["detail"]
    lab.ca.server.start()
    assert probe.check(leaf, domain)["status"] == "status-unknown"
    assert lab.probe().check(leaf, domain)["status"] == "valid"


def test_points_that_give_nothing(lab):
    """A distribution point that no list can be fetched from."""
    for point in ("file:///etc/passwd", "ftp://127.0.0.1/ca.crl", "gopher://127.0.0.1/x",
                  "ldap:///cn=x?certificateRevocationList", "http://127.0.0.1:1/ca.crl"):
        answer = lab.probe().check(lab.ca.forge("a.test", points=[point]))
        assert answer["status"] == "status-unknown"
    assert lab.probe().check(lab.ca.forge("a.test", points=[]))["status"] == "status-unknown"


def test_list_is_cached(lab, good):
    """REQ-39: in memory, and in storage for the next process."""
    folder = lab.folder / f"probe{next(lab.numbers)}"
    probe = lab.probe(folder)
    assert probe.check(good)["status"] == "valid"
    lab.ca.server.stop()
    probe.flush()
    assert probe.check(good)["status"] == "valid"
    assert lab.probe(folder).check(good)["status"] == "valid"


def test_grace(lab, good):
    """REQ-40: seven days past nextUpdate, and not a moment longer; told in words."""
    lab.ca.make_crl(file="root.crl", issuer="root", next_update=NOW + 60 * DAY)
    lab.ca.make_crl(next_update=NOW + HOUR)
    folder = lab.folder / f"probe{next(lab.numbers)}"
    probe = lab.probe(folder)
    assert probe.check(good)["status"] == "valid"
    lab.ca.server.stop()
    answer = probe.check(good, now=NOW + DAY)
    assert answer["status"] == "valid"
    assert (f"by the revocation list of {lab.ca.url}, which ended 23 hours ago and could not be renewed: "
            f"Connection refused; grace ends at {(NOW + HOUR + 7 * DAY).isoformat()}Z"
            ) in answer["detail"]
    assert probe.check(good, now=NOW + HOUR + 7 * DAY)["status"] == "valid"
    late = NOW + HOUR + 7 * DAY + MINUTE
    answer = probe.check(good, now=late)
    assert answer["status"] == "status-unknown"
    assert (f"the revocation list of {lab.ca.url} ended 7 days ago, at {(NOW + HOUR).isoformat()}Z, "
            "and no newer one could be had: Connection refused") in answer["detail"]
    assert lab.probe(folder).check(good, now=late)["status"] == "status-unknown"
    assert lab.probe(folder, crl_grace_ms=0).check(good, now=NOW + DAY
                                                   )["status"] == "status-unknown"


def test_revocation_in_grace_counts(lab):
    domain = lab.domain()
    leaf = lab.ca.forge(domain)
    lab.ca.make_crl(file="root.crl", issuer="root", next_update=NOW + 60 * DAY)
    lab.ca.make_crl([leaf.certificate], next_update=NOW + HOUR)
    probe = lab.probe()
    assert probe.check(leaf, domain)["status"] == "revoked"
    lab.ca.server.stop()
    assert probe.check(leaf, domain, now=NOW + DAY)["status"] == "revoked"


def bad_list(lab, kind, leaf):
    ca = lab.ca
    path = ca.folder / "ca.crl"
    point = x509.IssuingDistributionPoint
    none = {"full_name": None, "relative_name": None, "only_contains_user_certs": False,
            "only_contains_ca_certs": False, "only_some_reasons": None, "indirect_crl": False,
            "only_contains_attribute_certs": False}
    if kind == "garbage":
        ca.put_crl(b"<html>404</html>")
    elif kind == "empty":
        ca.put_crl(b"")
    elif kind == "truncated":
        ca.put_crl(path.read_bytes()[:-1])
    elif kind == "trailing":
        ca.put_crl(path.read_bytes() + b"x")
    elif kind == "altered":
        data = bytearray(path.read_bytes())
        data[-5] ^= 1
        ca.put_crl(data)
    elif kind == "other issuer":
        ca.put_crl(lab.other.make_crl())
    elif kind == "root's":
        ca.make_crl(issuer="root")
    elif kind == "expired":
        ca.make_crl(this_update=NOW - 30 * DAY, next_update=NOW - 20 * DAY)
    elif kind == "future":
        ca.make_crl(this_update=NOW + DAY)
    elif kind == "delta":
        ca.make_crl(extensions=[(x509.DeltaCRLIndicator(1), True)])
    elif kind == "indirect":
        ca.make_crl(extensions=[(point(**{**none, "indirect_crl": True}), True)])
    elif kind == "some reasons":
        ca.make_crl(extensions=[(point(**{**none, "only_some_reasons": frozenset(
            [x509.ReasonFlags.key_compromise])}), True)])
    elif kind == "CAs only":
        ca.make_crl(extensions=[(point(**{**none, "only_contains_ca_certs": True}), True)])
    elif kind == "other point":
        ca.make_crl(extensions=[(point(**{**none, "full_name": [
            x509.UniformResourceIdentifier("http://127.0.0.1/other.crl")]}), True)])
    elif kind == "unknown critical":
        ca.make_crl(extensions=[(x509.UnrecognizedExtension(
            ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)])
    elif kind == "unknown critical entry":
        ca.make_crl([leaf.certificate], entry_extensions=[(x509.CertificateIssuer(
            [x509.DirectoryName(leaf.certificate.issuer)]), True)])


@pytest.mark.parametrize("kind", [
    "garbage", "empty", "truncated", "trailing", "altered", "other issuer", "root's", "expired",
    "future", "delta", "indirect", "some reasons", "CAs only", "other point", "unknown critical",
    "unknown critical entry"])
def test_bad_list(lab, kind):
    """REQ-36 (104): a list that is none, or none for this, answers nothing; what was known stays."""
    domain = lab.domain()
    leaf = lab.ca.forge(domain)
    known = lab.probe(crl_refresh_ms=50, verdict_ttl_ms=1)
    assert known.check(leaf, domain)["status"] == "valid"
    bad_list(lab, kind, leaf)
    answer = lab.probe().check(leaf, domain)
    assert answer["status"] == "status-unknown"
    assert answer["detail"].startswith("not known whether it is revoked: ")
    if kind not in ("CAs only", "other point"):  # these are the issuer's own, and newer
        wait_for(lambda: known.state()["failing"] == 1)
        assert known.check(leaf, domain)["status"] == "valid"


def test_list_with_scope(lab, good):
    """An issuing distribution point that fits."""
    lab.ca.make_crl(extensions=[(x509.IssuingDistributionPoint(
        [x509.UniformResourceIdentifier(lab.ca.url)], None, True, False, None, False, False),
        True)])
    assert lab.probe().check(good)["status"] == "valid"


def test_no_way_back(lab):
    """An older list, however good, does not undo a revocation."""
    domain = lab.domain()
    leaf = lab.ca.forge(domain)
    old = lab.ca.make_crl(this_update=NOW - 2 * HOUR)
    lab.ca.make_crl([leaf.certificate])
    probe = lab.probe(crl_refresh_ms=50)
    assert probe.check(leaf, domain)["status"] == "revoked"
    lab.ca.put_crl(old)
    wait_for(lambda: probe.state()["failing"] == 1)
    assert probe.check(leaf, domain)["status"] == "revoked"


def test_large_list(lab, good):
    assert lab.probe(max_crl_bytes=4000).check(good)["status"] == "valid"
    lab.ca.make_crl(extensions=[(x509.UnrecognizedExtension(
        ObjectIdentifier("1.2.3.4"), b"\x04\x82\x20\x00" + bytes(8192)), False)])
    answer = lab.probe(max_crl_bytes=4000).check(good)
    assert answer["status"] == "status-unknown"
    assert "larger than 4000 bytes" in answer["detail"]
    assert lab.probe().check(good)["status"] == "valid"


def test_hung_distribution_point(lab):
    """One wait for all, and then none for a while."""
    domain = lab.domain()
    lab.ca.issue(domain)
    lab.publish()
    probe = lab.probe(directories=lab.ldap(), crl_timeout_ms=1000)
    lab.ca.server.freeze()
    answers = probe.discover(domain, threads=8)
    assert {a["status"] for a in answers} == {"status-unknown"}
    assert max(a["ms"] for a in answers) < 5000  # leaf's list and CA's list, a second each
    assert probe.discover(domain)["ms"] < 500


def test_revoked_ca(lab, good):
    """A revoked CA makes no chain."""
    _, issuing = lab.ca.authority()
    lab.ca.make_crl([issuing], issuer="root", file="root.crl")
    answer = lab.probe().check(good)
    assert answer["status"] == "untrusted"
    assert "the CA CN=Lab CA Issuing" in answer["detail"]
    assert "revoked since" in answer["detail"]


def test_list_by_ldap(lab):
    """REQ-49: a distribution point in the directory."""
    domain = lab.domain()
    point = (f"{lab.slapd.url}/cn=Lab%20CA,c=NZ?certificateRevocationList;binary?base")
    leaf = lab.ca.forge(domain, points=[point])
    lab.publish()
    assert lab.probe().check(leaf, domain)["status"] == "valid"
    gone = lab.ca.forge(domain, points=[point.replace("Lab", "No")])
    answer = lab.probe().check(gone, domain)
    assert (answer["status"], "nothing is there" in answer["detail"]) == ("status-unknown", True)
    lab.ca.make_crl([leaf.certificate])
    lab.publish()
    assert lab.probe().check(leaf, domain)["status"] == "revoked"
    lab.slapd.server.freeze()
    answer = lab.probe(crl_timeout_ms=1000).check(leaf, domain)
    assert (answer["status"], answer["ms"] < 3000) == ("status-unknown", True)


def test_second_point_serves(lab):
    """http is down, ldap is up."""
    domain = lab.domain()
    leaf = lab.ca.issue(domain)
    lab.publish()
    folder = lab.folder / f"probe{next(lab.numbers)}"
    probe = lab.probe(folder)
    assert probe.check(lab.ca.issue(lab.domain()), None)["status"] == "mismatch"
    lab.ca.server.stop()
    answer = probe.check(leaf, domain)
    # The CA's own list has only the http address, so this much is known and no more.
    assert answer["status"] == "status-unknown"
    assert "the CA CN=Lab CA Issuing" in answer["detail"]


# Discovery --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
def test_found(lab, scheme):
    """REQ-43, 52, 53: and the CA between it and the root comes from the directory too."""
    domain = lab.domain()
    leaf = lab.ca.issue(domain)
    lab.publish()
    probe = lab.probe(directories=lab.ldap() if scheme == "ldap" else lab.ldaps())
    answer = probe.discover(domain)
    assert (answer["status"], answer["found"]) == ("valid", 1)
    assert answer["chosen"].lower() == leaf.serial
    assert answer["candidates"][0]["source"].startswith(scheme)
    # REQ-50, 51: it is in the store, with its CA, for a process that starts without the directory.
    lab.slapd.server.stop()
    answer = lab.probe(probe.folder, directories=lab.ldap()).discover(domain.upper())
    assert answer["chosen"].lower() == leaf.serial
    assert answer["candidates"][0]["source"] == "store"


def test_issuer_from_the_directory(lab, good):
    """REQ-81: many send the signer's certificate alone; what is above it is in the directory."""
    lab.publish()
    assert lab.probe(directories=lab.ldap()).check(good, helpers=False)["status"] == "valid"
    foreign = lab.other.forge("b.test")
    assert lab.probe(directories=lab.ldap()).check(foreign, helpers=False)["status"] == "untrusted"
    lab.slapd.server.stop()
    answer = lab.probe(directories=lab.ldap()).check(good, helpers=False)
    assert answer["status"] == "untrusted"
    assert "unable to get local issuer certificate" in answer["detail"]


def test_none(lab):
    answer = lab.probe(directories=lab.ldap()).discover("nobody.test")
    assert (answer["status"], answer["any"], answer["found"]) == ("untrusted", 0, 0)
    assert answer["detail"] == f"there is none (asked: store: 0 certificates; {lab.slapd.url}: 0 certificates)"
    answer = lab.probe().discover("nobody.test")
    assert answer["detail"].endswith("no directory is configured)")
    assert lab.probe().discover("no*body.test")["error"] == "SG_E_INVALID"


def test_newest_wins(lab):
    """REQ-37."""
    domain = lab.domain()
    older = lab.ca.issue(domain, "--not-before", (NOW - 100 * DAY).isoformat())
    newer = lab.ca.issue(domain, "--overlap", "--not-before", (NOW - 10 * DAY).isoformat())
    lab.ca.issue(domain, "--overlap", "--not-before", (NOW + 10 * DAY).isoformat())
    lab.publish()
    answer = lab.probe(directories=lab.ldap()).discover(domain)
    assert answer["chosen"].lower() == newer.serial
    assert [c["status"] for c in answer["candidates"]] == ["not-yet-valid", "valid"]

    # Table 1: the newest revoked, an older valid one is found and used.
    lab.ca("revoke", newer.path)
    lab.slapd.put(domain, [newer, older])
    answer = lab.probe(directories=lab.ldap()).discover(domain)
    assert answer["chosen"].lower() == older.serial
    assert [c["status"] for c in answer["candidates"]] == ["revoked", "valid"]


def test_weak_where_there_is_nothing_better(lab):
    """REQ-24: the newest of the weak, and any that is not weak before them, wherever that is."""
    domain, small = lab.domain(), rsa_key("small", 1024)
    lab.publish()
    old = lab.ca.forge(domain, key=small, not_before=NOW - 9 * DAY)
    new = lab.ca.forge(domain, digest=hashes.SHA1(), not_before=NOW - 3 * DAY)
    lab.slapd.put(domain, [old, new])
    probe = lab.probe(directories=lab.ldap())
    assert probe.discover(domain)["found"] == 0
    answer = probe.weak(True).discover(domain)
    assert answer["chosen"].lower() == new.serial and lab.slapd.url in answer["detail"]
    assert len(answer["candidates"]) == 2
    # It is in the store now, and of no use to who wants a better one.
    assert probe.weak(False).discover(domain)["found"] == 0
    answer = probe.weak(True).discover(domain)
    assert {c["source"] for c in answer["candidates"] if c["status"] == "valid"} == {"store"}
    # An older one that is not weak, in the directory alone.
    good = lab.ca.forge(domain, not_before=NOW - 20 * DAY)
    lab.slapd.put(domain, [old, new, good])
    assert probe.discover(domain)["chosen"].lower() == good.serial
    assert probe.weak(False).discover(domain)["chosen"].lower() == good.serial
    # That one revoked, the weak one will do again; where both are, none.
    lab.ca.make_crl([good.certificate])
    again = lab.probe(directories=lab.ldap()).weak(True)
    assert again.discover(domain)["chosen"].lower() == new.serial
    lab.ca.make_crl([leaf.certificate for leaf in (good, old, new)])
    answer = lab.probe(directories=lab.ldap()).weak(True).discover(domain)
    assert (answer["found"], answer["status"]) == (0, "revoked")


def test_weak_by_a_further_root(lab, private):
    """REQ-24, 180: a root of the domain's own vouches for a weak one as well."""
    domain = lab.domain()
    leaf = private.forge(domain, key=rsa_key("small", 1024))
    lab.slapd.put(domain, [leaf])
    probe = lab.probe(directories=lab.ldap(), further_private=1).relying("dom_a").weak(True)
    probe.domain_anchors("dom_a", [private.folder / "issuing.cer"])
    assert probe.discover(domain)["chosen"].lower() == leaf.serial
    assert probe.weak(False).discover(domain)["found"] == 0
    assert probe.weak(True).relying("dom_b").discover(domain)["found"] == 0


def test_storage_that_cannot_be_written(lab):
    """REQ-54: what is found is not used, for nobody knows whether it was refused."""
    domain = lab.domain()
    lab.ca.issue(domain)
    lab.publish()
    probe = lab.probe(directories=lab.ldap())
    (probe.folder / "partners" / domain).write_bytes(b"")  # where a folder would be
    assert probe.discover(domain)["error"] == "SG_E_IO"
    (probe.folder / "partners" / domain).unlink()
    assert probe.discover(domain)["found"] == 1


def test_stored_one_revoked(lab):
    """Table 1: revoked, so another is discovered by LDAP."""
    domain = lab.domain()
    first = lab.ca.issue(domain)
    lab.publish()
    probe = lab.probe(directories=lab.ldap(), crl_refresh_ms=50, verdict_ttl_ms=1)
    assert probe.discover(domain)["chosen"].lower() == first.serial
    lab.ca("revoke", first.path)
    lab.publish()
    answer = wait_for(lambda: (a := probe.discover(domain))["found"] == 0 and a)
    assert (answer["status"], answer["any"]) == ("revoked", 1)
    second = lab.ca.issue(domain)
    lab.publish()
    assert probe.discover(domain)["chosen"].lower() == second.serial


def test_revoked_by_its_owner_here(lab):
    """REQ-174, 200: a domain of ours whose key is somebody else's as well; no list names it yet. At once, whatever was
    found a moment ago, and for who seals too."""
    domain = lab.domain()
    leaf, old = lab.ca.issue(domain), lab.ca.forge(domain, not_before=NOW - 9 * DAY, not_after=NOW - DAY)
    lab.publish()
    probe = lab.probe(directories=lab.ldap())
    assert {probe.check(leaf, domain, use)["status"] for use in ("sign", "encrypt")} == {"valid"}
    assert probe.discover(domain)["chosen"].lower() == leaf.serial
    probe.revoked_here(leaf)
    probe.revoked_here(old)
    for use in ("sign", "encrypt"):
        answer = probe.check(leaf, domain, use)
        assert (answer["status"], "by its owner, a domain of this gateway" in answer["detail"]) == ("revoked", True)
    assert probe.check(old, domain)["status"] == "expired"  # which comes first
    answer = probe.discover(domain)
    assert (answer["found"], answer["status"]) == (0, "revoked"), answer
    # A bypass answers for what is not known.
    probe.bypass(leaf, NOW + DAY)
    assert probe.check(leaf, domain, "sign")["status"] == "revoked"


def test_persons_certificate_is_not_used(lab):
    """REQ-46: it has to be the domain's own."""
    domain = lab.domain()
    lab.slapd.put(domain, [lab.ca.forge(domain, addresses=[f"joe@{domain}"], common_name="Joe"),
                           lab.ca.forge(domain, addresses=[f"joe@{domain}"])])
    lab.ca("publish", *lab.slapd.bind, "--domain", "a.test")
    answer = lab.probe(directories=lab.ldap()).discover(domain)
    assert (answer["status"], answer["found"]) == ("mismatch", 0)
    assert {c["status"] for c in answer["candidates"]} == {"mismatch"}


def test_other_domains_certificate_is_not_used(lab):
    domain = lab.domain()
    lab.slapd.put(domain, [lab.ca.issue(lab.domain())])
    answer = lab.probe(directories=lab.ldap()).discover(domain)
    assert (answer["status"], answer["found"]) == ("mismatch", 0)


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
def test_directory_hangs(lab, scheme):
    """Three seconds and no more, for any number of threads; then the circuit; then it is back."""
    domain = lab.domain()
    lab.ca.issue(domain)
    lab.publish()
    probe = lab.probe(directories=lab.ldap() if scheme == "ldap" else lab.ldaps())
    lab.slapd.server.freeze()
    answers = probe.discover(domain, threads=12)
    assert {a["found"] for a in answers} == {0}
    assert {a["any"] for a in answers} == {0}
    assert all(2900 < a["ms"] < 3400 for a in answers), answers
    answer = wait_for(lambda: (a := probe.discover(domain))["ms"] < 200 and a)
    assert "failed" in answer["detail"] and "in a row" in answer["detail"]
    lab.slapd.server.thaw()
    wait_for(lambda: probe.discover(domain)["found"] == 1, 15)


def test_directory_down(lab):
    """At once, in words; and the next directory is asked."""
    domain = lab.domain()
    lab.ca.issue(domain)
    lab.publish()
    dead = (f"ldap://127.0.0.1:{lab.free_port}", None)
    answer = lab.probe(directories=[dead]).discover(domain)
    assert (answer["found"], answer["ms"] < 500) == (0, True)
    assert "Can't contact LDAP server" in answer["detail"]
    answer = lab.probe(directories=[dead, *lab.ldap()]).discover(domain)
    assert answer["found"] == 1


def test_directories_are_asked_at_the_same_time(lab):
    """REQ-43: one hangs, one is down, one has it: the answer takes as long as that of the one that has it, and a
    moment for the others; with nothing found, one time-out for all."""
    domain = lab.domain()
    leaf = lab.ca.issue(domain)
    lab.publish()
    dead = (f"ldap://127.0.0.1:{lab.free_port}", None)
    with socket.socket() as hung:
        hung.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        hung.bind(("127.0.0.1", lab.free_port + 1))
        hung.listen(8)
        hangs = (f"ldap://127.0.0.1:{lab.free_port + 1}", None)
        probe = lab.probe(directories=[hangs, dead, *lab.ldap()])
        answer = probe.discover(domain)
        assert answer["chosen"].lower() == leaf.serial and answer["ms"] < 900, answer
        assert "no answer in time" in answer["detail"] and "Can't contact" in answer["detail"]
        print(f"\none hangs, one is down, one has it: {answer['ms']} ms")
        for more in (0, 1500):  # [certificates] ldap_more
            answer = lab.probe(directories=[hangs, *lab.ldap()], directory_more_ms=more).discover(domain)
            assert answer["chosen"].lower() == leaf.serial and more <= answer["ms"] < more + 900, answer
        probe = lab.probe(directories=[hangs, dead, (f"{hangs[0]}/", None)])
        answer = probe.discover(domain)
        assert answer["found"] == 0 and 2900 < answer["ms"] < 3400, answer


def test_newest_of_two_directories(lab):
    """Whichever answers first: the newest certificate wins."""
    domain = lab.domain()
    lab.slapd.put(domain, [lab.ca.forge(domain, not_before=NOW - 5 * DAY)])
    newer = lab.ca.forge(domain)
    with Second(lab) as second:
        second.put(domain, [newer])
        for order in ([*lab.ldap(), (second.url, None)], [(second.url, None), *lab.ldap()]):
            answer = lab.probe(directories=order).discover(domain)
            assert answer["chosen"].lower() == newer.serial, answer


def test_directory_of_a_ca(lab):
    """REQ-58: a CA's own directory, with its filter and attribute, is asked for what replaces a certificate below it
    that has expired or was revoked; for others it is not."""
    root = lab.ca.folder / "root.cer"
    with Second(lab) as second:
        own = (second.url, None, root, "(|(mail={address})(cn=none))", "userCertificate;binary")
        for kind in ("expired", "revoked", "suspended"):
            domain = lab.domain()
            old = lab.ca.forge(domain, not_before=NOW - 9 * DAY, not_after=NOW - DAY) if kind == "expired" \
                else lab.ca.issue(domain)
            if kind != "expired":
                lab.ca("revoke", old.path, "--reason", "certificateHold" if kind == "suspended" else "superseded")
            new = lab.ca.forge(domain)
            lab.slapd.put(domain, [old])
            second.put(domain, [new])
            answer = lab.probe(directories=[*lab.ldap(), own]).discover(domain)
            assert answer["chosen"].lower() == new.serial, answer
            other = (second.url, None, lab.other.folder / "root.cer")
            answer = lab.probe(directories=[*lab.ldap(), other]).discover(domain)
            assert answer["found"] == 0 and second.url not in answer["detail"], answer
        domain = lab.domain()
        second.put(domain, [lab.ca.forge(domain)])
        answer = lab.probe(directories=[*lab.ldap(), own]).discover(domain)
        assert (answer["found"], answer["any"]) == (0, 0) and second.url not in answer["detail"]


class Second:
    """Another directory for as long as this lasts."""

    def __init__(self, lab, **more):
        self.slapd = Slapd(lab.folder / f"second{next(lab.numbers)}", lab.free_port + 2, lab.free_port + 3, **more)

    def __enter__(self):
        self.slapd.server.start()
        return self.slapd

    def __exit__(self, *_):
        self.slapd.server.stop()


@pytest.fixture
def no_authorities(lab):
    """A directory that answers for domains, and whose search for CA certificates fails after a second."""
    with Second(lab, faulty=True) as second:
        second.put_failing_authority(lab.ca.folder / "issuing.cer", seconds=1)
        yield second


def test_search_for_authorities_that_fails(lab, good, no_authorities):
    """REQ-43, 81: strangers' mails make it; what came of it is remembered for a while, and lookups of domains go on."""
    domain = lab.domain()
    leaf = lab.ca.forge(domain)
    no_authorities.put(domain, [leaf])
    probe = lab.probe(directories=[(no_authorities.url, None)])
    answers = [probe.check(good, helpers=False) for _ in range(4)]
    assert {a["status"] for a in answers} == {"untrusted"}
    assert 900 < answers[0]["ms"] < 2000 and max(a["ms"] for a in answers[1:]) < 500, [a["ms"] for a in answers]
    answer = probe.discover(domain)
    assert answer["any"] == 1 and f"{no_authorities.url}: 1 certificate" in answer["detail"], answer
    # Asked for again when a while has passed.
    wait_for(lambda: probe.check(good, helpers=False)["ms"] > 900)
    log = (probe.folder / "log").read_text()
    assert log.count("cert.directory_authorities_failed") == 2 and "cert.directory_circuit_open" not in log


def test_search_for_authorities_that_fails_opens_no_circuit(lab, good, no_authorities):
    """REQ-43: behind two lookups of domains that failed it is not the third."""
    domain = lab.domain()
    leaf = lab.ca.forge(domain)
    no_authorities.put(domain, [leaf])
    probe = lab.probe(directories=[(no_authorities.url, None)])
    no_authorities.server.stop()
    for _ in range(2):
        assert "Can't contact LDAP server" in probe.discover(domain)["detail"]
    no_authorities.server.start()
    assert probe.check(good, helpers=False)["status"] == "untrusted"
    answer = probe.discover(domain)
    assert answer["any"] == 1 and f"{no_authorities.url}: 1 certificate" in answer["detail"], answer


def test_directory_that_does_not_accept(lab):
    """A connection that is never made."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", lab.free_port))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(8)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", lab.free_port))
        for scheme in ("ldap", "ldaps"):
            probe = lab.probe(directories=[(f"{scheme}://127.0.0.1:{lab.free_port}", None)],
                              ldap_timeout_ms=1000)
            answer = probe.discover("x.test")
            assert answer["found"] == 0
            assert 900 < answer["ms"] < 1400
        for filler in fillers:
            filler.close()


def test_directory_restarts(lab):
    """A connection that died meanwhile is made anew within the same lookup."""
    domain = lab.domain()
    probe = lab.probe(directories=lab.ldap())
    assert probe.discover(domain)["any"] == 0
    lab.slapd.server.stop()
    lab.slapd.server.start()
    lab.ca.issue(domain)
    lab.publish()
    assert probe.discover(domain)["found"] == 1


def test_ldaps_needs_the_right_ca(lab):
    domain = lab.domain()
    lab.ca.issue(domain)
    lab.publish()
    for wrong in (None, lab.ca.folder / "root.pem"):
        answer = lab.probe(directories=[(lab.slapd.tls_url, wrong)]).discover(domain)
        assert (answer["any"], answer["found"]) == (0, 0)
    # The right certificate under a name that it does not carry.
    url = lab.slapd.tls_url.replace("127.0.0.1", "localhost")
    answer = lab.probe(directories=[(url, lab.slapd.certificate)]).discover(domain)
    assert answer["found"] == 0


def test_flush_reads_configuration_again(lab, good):
    domain = lab.domain()
    lab.ca.issue(domain)
    lab.publish()
    probe = lab.probe(anchors=[])
    assert probe.check(good)["status"] == "untrusted"
    assert probe.discover(domain)["any"] == 0
    probe.anchors([lab.ca.folder / "root.cer"])
    probe.directories(lab.ldap())
    assert probe.check(good)["status"] == "untrusted"
    probe.flush()
    assert probe.check(good)["status"] == "valid"
    assert probe.discover(domain)["found"] == 1
    probe.directories([])
    probe.anchors([])
    probe.flush()
    assert probe.check(good)["status"] == "untrusted"


def kept(lab, good, **more):
    """A probe that found it good, and reads again what it keeps every 200 ms; a verdict is good for a minute."""
    probe = lab.probe(kept_ms=200, **more)
    assert probe.check(good)["status"] == "valid"
    return probe


def read_again(probe, good, times=3):
    """Asked until the anchors were read so often again; what was answered."""
    answers, goal = [], probe.state()["anchors_read"] + times

    def done():
        answers.append(probe.check(good))
        return probe.state()["anchors_read"] >= goal
    wait_for(done)
    return {answer.get("status", answer.get("error")) for answer in answers}


def test_a_root_that_is_gone_is_found_out_untold(lab, good):
    """Nobody says that the configuration changed: a verdict on it does not outlive it for long."""
    probe = kept(lab, good)
    probe.anchors([])
    wait_for(lambda: probe.check(good)["status"] == "untrusted")
    probe.anchors([lab.ca.folder / "root.cer"])
    wait_for(lambda: probe.check(good)["status"] == "valid")


def test_roots_that_stayed_flush_nothing(lab, good):
    """What was judged good by them is not judged again, and until it is time they are not read again."""
    probe = kept(lab, good)
    before = probe.state()["flushes"]
    assert read_again(probe, good) == {"valid"}
    assert probe.state()["flushes"] == before
    probe.anchors([lab.ca.folder / "root.cer", lab.other.folder / "root.cer"])
    wait_for(lambda: probe.check(good)["status"] == "valid" and probe.state()["flushes"] > before)
    before = probe.state()["flushes"]
    assert read_again(probe, good) == {"valid"}
    assert probe.state()["flushes"] == before
    probe = lab.probe()
    for _ in range(50):
        assert probe.check(good)["status"] == "valid"
    assert probe.state()["anchors_read"] == 1


def test_roots_that_cannot_be_read_again_serve_nobody(lab, good):
    """Whether they still count is not known then: mail waits."""
    probe = kept(lab, good)
    (probe.folder / "away").touch()
    wait_for(lambda: probe.check(good).get("error") == "SG_E_DB_UNAVAILABLE")
    before = probe.state()["flushes"]
    (probe.folder / "away").unlink()
    assert probe.check(good)["status"] == "valid"
    assert probe.state()["flushes"] == before


def test_directories_are_read_again_untold(lab, good):
    domain = lab.domain()
    lab.ca.issue(domain)
    lab.publish()
    probe = kept(lab, good)
    assert probe.discover(domain)["any"] == 0
    probe.directories(lab.ldap())
    wait_for(lambda: probe.discover(domain)["found"] == 1)
    probe.directories([])
    wait_for(lambda: probe.discover(lab.domain())["any"] == 0 and probe.state()["directories"] == 0)


def test_many_at_once(lab):
    """Threads share lists, connections and verdicts."""
    domain = lab.domain()
    leaf = lab.ca.issue(domain)
    lab.publish()
    probe = lab.probe(directories=lab.ldaps())
    answers = probe.discover(domain, threads=32)
    assert {a["chosen"].lower() for a in answers} == {leaf.serial}
    stored = list((probe.folder / "partners" / domain).iterdir())
    assert leaf.certificate.public_bytes(DER) in [p.read_bytes() for p in stored]
