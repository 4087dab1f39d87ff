"""The S/MIME library against openssl cms, NSS cmsutil, gpgsm and certtool, both ways. REQ-17 REQ-23 REQ-24 REQ-25

smime-probe seals and opens files with keys from files; no daemon runs here.
"""
import re
import subprocess

import pytest

import peers
from conftest import BUILD
from interop import ENTITIES, FEW, NAMES, Matrix, theirs

PROBE = BUILD / "tests" / "smime-probe"
OUR_CIPHERS = {"aes128-cbc": "aes128", "aes256-cbc": "aes256", "3des-cbc": "3des"}
CURVES = {"P-256": peers.P256, "P-384": peers.P384}


@pytest.fixture(scope="module")
def matrix(request):
    table = Matrix("library")
    yield table
    table.print(request.config)


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    made = peers.Pki(tmp_path_factory.mktemp("pki"))
    made.gateway = made.issue("gateway", "domain-confidentiality-authority@agency.test")
    made.peer = made.issue("peer")
    made.other = made.issue("other")
    made.pss = made.issue("pss", key=peers.RSA_PSS)
    made.on_curve = {name: made.issue(f"gateway-{name}", key=key) for name, key in CURVES.items()}
    made.peer_on_curve = {name: made.issue(f"peer-{name}", key=key) for name, key in CURVES.items()}
    return made


@pytest.fixture(scope="module", params=peers.PEERS, ids=lambda kind: kind.name)
def peer(request, pki, tmp_path_factory):
    with request.param(tmp_path_factory.mktemp("peer"), pki.root) as software:
        software.own(pki.peer)
        software.partner(pki.gateway)
        yield software


def seal(pki, tmp_path, entity, cipher, to=None, signer=None, oaep=()):
    """to: identities whose keys are transported by PKCS #1 v1.5 or agreed; oaep: by OAEP."""
    (tmp_path / "in").write_bytes(entity)
    signer = signer or pki.gateway
    recipients = [i.certificate for i in ([pki.peer] if to is None else to)]
    if oaep:
        recipients += ["--oaep", *(i.certificate for i in oaep)]
    subprocess.run([PROBE, "seal", signer.certificate, signer.key, OUR_CIPHERS.get(cipher, cipher),
                    tmp_path / "in", tmp_path / "out", *recipients], check=True, capture_output=True)
    return (tmp_path / "out").read_bytes()


def open_(pki, tmp_path, entity):
    """What the library reached, and its words on each layer and signer."""
    (tmp_path / "in").write_bytes(entity)
    keys = [path for own in (pki.gateway, *pki.on_curve.values()) for path in (own.certificate, own.key)]
    done = subprocess.run([PROBE, "open", tmp_path / "in", tmp_path / "out", *keys], check=True,
                          capture_output=True)
    words = [dict(re.findall(r"(\w+)=(.*?)(?= \w+=|$)", line))
             for line in done.stdout.decode().splitlines()]
    return ((tmp_path / "out").read_bytes(), [w for w in words if "layer" in w],
            [w for w in words if "signer" in w])


@pytest.mark.parametrize("cipher", OUR_CIPHERS)
def test_ours_is_read(peer, pki, matrix, tmp_path, cipher):
    good = False
    try:
        for name in ENTITIES if cipher == "aes256-cbc" else FEW:
            sealed = seal(pki, tmp_path, ENTITIES[name], cipher)
            assert peer.verify(peer.decrypt(sealed)) == ENTITIES[name], name
        good = True
    finally:
        matrix.add(peer.name, "reads ours", f"{cipher}+sha256", good)


@pytest.mark.parametrize("kind,cipher,digest", [row for kind in peers.PEERS for row in theirs(kind)],
                         ids=lambda value: getattr(value, "name", value))
@pytest.mark.parametrize("opaque", [False, True], ids=["detached", "opaque"])
def test_theirs_is_opened(pki, matrix, tmp_path, tmp_path_factory, kind, cipher, digest, opaque):
    peer = software(kind, pki, tmp_path_factory)
    good, named = False, cipher
    try:
        for name in ENTITIES if (cipher, digest) == theirs(kind)[1][1:] and not opaque else FEW:
            entity = ENTITIES[name]
            signed = peer.sign(entity, digest, opaque)
            sealed = peer.encrypt(signed, pki.gateway, cipher)
            got, layers, signers = open_(pki, tmp_path, sealed)
            assert [w["result"] for w in layers] == ["ok", "ok"], (name, layers)
            assert got == entity, name
            assert signers[0]["digest"] == digest and layers[1]["detached"] == str(int(not opaque))
            named = NAMES[layers[0]["cipher"]]
            assert cipher in ("default", named)
        good = True
    finally:
        matrix.add(peer.name, "is opened", f"{named}+{digest}{' opaque' if opaque else ''}", good)


_software = {}


def software(kind, pki, tmp_path_factory, own=None):
    """One home a tool and identity for the whole module: making it costs more than a test."""
    own = own or pki.peer
    if (kind, own.name) not in _software:
        made = kind(tmp_path_factory.mktemp("sender"), pki.root)
        try:
            made.own(own)
            for identity in (pki.gateway, pki.other, *pki.on_curve.values()):
                made.partner(identity)
        except peers.PeerError:
            made.close()
            raise
        _software[kind, own.name] = made
    return _software[kind, own.name]


@pytest.fixture(scope="module", autouse=True)
def software_closed():
    yield
    for made in _software.values():
        made.close()
    _software.clear()


NO_AGREEMENT = {peers.CmsUtil: "no ECDH", peers.GpgSm: "no ECDH"}
NOTHING_NEWER = {peers.CmsUtil: "unknown to NSS 3.87", peers.GpgSm: "unknown to 2.2"}
NO_PSS = {peers.CmsUtil: "has no option", peers.GpgSm: "has no option"}
NAMED = {"ids": lambda value: getattr(value, "name", value)}


@pytest.mark.parametrize("kind", peers.PEERS, **NAMED)
def test_newer_algorithms_of_ours(pki, matrix, tmp_path, tmp_path_factory, kind):
    """REQ-25: what we send to who says that it can; and that others indeed cannot."""
    entity = ENTITIES["8-bit"]

    def read(own=None, **how):
        peer = software(kind, pki, tmp_path_factory, own)
        sealed = seal(pki, tmp_path, entity, how.pop("cipher", "aes256"), **how)
        assert peer.verify(peer.decrypt(sealed)) == entity

    def cell(what, gaps=None, **how):
        matrix.cell(kind.name, "reads ours", what, lambda: read(**how), (gaps or {}).get(kind))

    for curve, signer in pki.on_curve.items():
        cell(f"ECDSA {curve}", signer=signer)
    for cipher in ("aes128-gcm", "aes256-gcm"):
        cell(cipher, NOTHING_NEWER, cipher=cipher)
    cell("RSA-OAEP", NOTHING_NEWER, to=[], oaep=[pki.peer])
    for curve, own in pki.peer_on_curve.items():
        cell(f"ECDH {curve}", NO_AGREEMENT, own=own, to=[own])
    cell("AES-256-GCM with ECDH P-384 and ECDSA P-256", NO_AGREEMENT, own=pki.peer_on_curve["P-384"],
         to=[pki.peer_on_curve["P-384"]], signer=pki.on_curve["P-256"], cipher="aes256-gcm")
    # gpgsm opens what comes to its second key too, and says by its status that it could not open the first.
    several = [pki.other, pki.gateway]
    several.insert(0 if kind is peers.GpgSm else 2, pki.peer)
    cell("three recipients", to=several)
    cell("beside OAEP", to=[pki.peer], oaep=[pki.other])
    cell("beside ECDH", {peers.CmsUtil: "no ECDH"}, to=[pki.peer, pki.on_curve["P-384"]])


@pytest.mark.parametrize("kind", peers.PEERS, **NAMED)
def test_newer_algorithms_of_theirs(pki, matrix, tmp_path, tmp_path_factory, kind):
    """REQ-24 REQ-25: signed and encrypted with everything that the software can."""
    entity, cipher = ENTITIES["8-bit"], kind.ciphers[-1]

    def opened(message, *, signature="rsaEncryption", transport="rsa-pkcs1"):
        got, layers, signers = open_(pki, tmp_path, message)
        assert [w["result"] for w in layers] == ["ok", "ok"] and got == entity, layers
        assert {w["transport"] for w in layers} == {"-", transport}, layers
        assert signers[0]["signature"] == signature

    def sent(own=None, to=None, sign=(), encrypt=None, nested=False, **expected):
        peer = software(kind, pki, tmp_path_factory, own)
        to = to or pki.gateway
        if nested:
            return opened(peer.sign(peer.encrypt(entity, to, cipher), "sha256"), **expected)
        signed = peer.sign(entity, "sha256", *([False, sign] if sign else []))
        return opened(peer.encrypt(signed, to, cipher, **(encrypt or {})), **expected)

    def cell(what, gaps=None, **how):
        gap = (gaps or {}).get(kind)
        matrix.cell(kind.name, "is opened", what, lambda: sent(**how), gap)

    for curve, own in pki.peer_on_curve.items():
        cell(f"ECDSA {curve}", {peers.GpgSm: "imports no such key"}, own=own, signature="ecdsa")
    for curve, own in pki.on_curve.items():
        cell(f"ECDH {curve}", NO_AGREEMENT, to=own, transport="ecdh")
    cell("second of two recipients", encrypt={"more": [pki.other]})
    cell("encrypted, then signed", nested=True)
    if kind is not peers.OpenSsl:
        for what, gaps in (("RSA-PSS", NO_PSS), ("RSA-OAEP", NO_PSS)):
            matrix.add(kind.name, "is opened", what, gaps[kind])
        return
    cell("RSA-PSS", sign=["-keyopt", "rsa_padding_mode:pss"], signature="rsassaPss")
    cell("RSA-PSS, salt 32", sign=["-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:digest"],
         signature="rsassaPss")
    recipient = ["-recip", pki.gateway.certificate, "-keyopt", "rsa_padding_mode:oaep"]
    cell("RSA-OAEP SHA-1", encrypt={"recipients": recipient}, transport="rsa-oaep")
    cell("RSA-OAEP SHA-256", transport="rsa-oaep",
         encrypt={"recipients": [*recipient, "-keyopt", "rsa_oaep_md:sha256"]})
    for digest in ("sha256", "sha384"):
        own = pki.on_curve["P-384"]
        cell(f"ECDH P-384, KDF {digest}", to=own, transport="ecdh", encrypt={"recipients": [
            "-recip", own.certificate, "-keyopt", f"ecdh_kdf_md:{digest}"]})
    cell("ECDH, recipient by key identifier", to=pki.on_curve["P-256"], transport="ecdh",
         encrypt={"options": ["-keyid"]})
    cell("recipient by key identifier", encrypt={"options": ["-keyid"]})
    cell("signer by key identifier", sign=["-keyid"])
    cell("RSA and ECDH recipients", encrypt={"more": [pki.peer_on_curve["P-256"], pki.other]})


def test_ber_of_openssl(pki, matrix, tmp_path, tmp_path_factory):
    peer, entity = software(peers.OpenSsl, pki, tmp_path_factory), ENTITIES["text"]
    message = peer.encrypt(peer.sign(entity, opaque=True, options=["-stream"]), pki.gateway, "aes256-cbc",
                           ["-stream"])
    got, layers, _ = open_(pki, tmp_path, message)
    good = got == entity and all(w["result"] == "ok" for w in layers)
    matrix.add(peer.name, "is opened", "BER", good)
    assert good, layers


def test_certtool(pki, matrix, tmp_path, tmp_path_factory):
    """REQ-17 REQ-24 REQ-25: signatures of GnuTLS, and ours before it."""
    entity, reader = ENTITIES["8-bit"], software(peers.OpenSsl, pki, tmp_path_factory)
    certtool = software(peers.CertTool, pki, tmp_path_factory)

    def verifies(signer):
        signed = reader.decrypt(seal(pki, tmp_path, entity, "aes256", signer=signer))
        assert certtool.verify(signed) == entity

    def opened(own, digest, opaque, signature):
        made = software(peers.CertTool, pki, tmp_path_factory, own)
        got, layers, signers = open_(pki, tmp_path, made.sign(entity, digest, opaque))
        assert got == entity and layers[0]["result"] == "ok", layers
        assert (signers[0]["digest"], signers[0]["signature"]) == (digest, signature)

    for what, signer in (("RSA", pki.gateway), *((f"ECDSA {c}", i) for c, i in pki.on_curve.items())):
        matrix.cell("certtool", "reads ours", f"{what} signature", lambda: verifies(signer))
    for opaque in (False, True):
        form = " opaque" if opaque else ""
        for digest in peers.CertTool.digests:
            matrix.cell("certtool", "is opened", f"signed RSA {digest}{form}",
                        lambda: opened(pki.peer, digest, opaque, "rsaEncryption"))
        for curve, own in pki.peer_on_curve.items():
            matrix.cell("certtool", "is opened", f"signed ECDSA {curve}{form}",
                        lambda: opened(own, "sha384", opaque, "ecdsa"))
        matrix.cell("certtool", "is opened", f"signed RSA-PSS{form}",
                    lambda: opened(pki.pss, "sha256", opaque, "rsassaPss"))


def test_unsupported_is_said(pki, tmp_path, tmp_path_factory):
    peer = software(peers.OpenSsl, pki, tmp_path_factory)
    entity = ENTITIES["text"]
    _, layers, _ = open_(pki, tmp_path, peer.sign(entity, "md5"))
    assert layers[0]["result"] == "unsupported" and layers[0]["stripped"] == "0"
    (tmp_path / "entity").write_bytes(entity)
    rc2 = peers.run("openssl", "cms", "-encrypt", "-binary", "-rc2", "-provider", "legacy", "-provider",
                    "default", "-in", tmp_path / "entity", pki.gateway.certificate)
    _, layers, _ = open_(pki, tmp_path, rc2)
    assert layers[0]["result"] == "unsupported"
