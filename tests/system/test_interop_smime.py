"""The S/MIME library against openssl cms, NSS cmsutil and gpgsm, both ways. REQ-17 REQ-23 REQ-24 REQ-25

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
    return made


@pytest.fixture(scope="module", params=peers.PEERS, ids=lambda kind: kind.name)
def peer(request, pki, tmp_path_factory):
    with request.param(tmp_path_factory.mktemp("peer"), pki.root) as software:
        software.own(pki.peer)
        software.partner(pki.gateway)
        yield software


def seal(pki, tmp_path, entity, cipher):
    (tmp_path / "in").write_bytes(entity)
    gateway = pki.gateway
    subprocess.run([PROBE, "seal", gateway.certificate, gateway.key, OUR_CIPHERS[cipher], tmp_path / "in",
                    tmp_path / "out", pki.peer.certificate], check=True, capture_output=True)
    return (tmp_path / "out").read_bytes()


def open_(pki, tmp_path, entity):
    """What the library reached, and its words on each layer and signer."""
    (tmp_path / "in").write_bytes(entity)
    done = subprocess.run([PROBE, "open", tmp_path / "in", tmp_path / "out", pki.gateway.certificate,
                           pki.gateway.key], check=True, capture_output=True)
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


def software(kind, pki, tmp_path_factory):
    """One home a tool for the whole module: making it costs more than a test."""
    if kind not in _software:
        made = kind(tmp_path_factory.mktemp("sender"), pki.root)
        made.own(pki.peer)
        made.partner(pki.gateway)
        _software[kind] = made
    return _software[kind]


@pytest.fixture(scope="module", autouse=True)
def software_closed():
    yield
    for made in _software.values():
        made.close()
    _software.clear()


def test_other_forms_of_openssl(pki, matrix, tmp_path, tmp_path_factory):
    peer = software(peers.OpenSsl, pki, tmp_path_factory)
    entity = ENTITIES["text"]
    forms = {
        "RSA-PSS": peer.encrypt(peer.sign(entity, options=["-keyopt", "rsa_padding_mode:pss"]),
                                pki.gateway, "aes256-cbc"),
        "signer by key identifier": peer.encrypt(peer.sign(entity, options=["-keyid"]), pki.gateway,
                                                 "aes256-cbc"),
        "recipient by key identifier": peer.encrypt(peer.sign(entity), pki.gateway, "aes256-cbc",
                                                    ["-keyid"]),
        "BER": peer.encrypt(peer.sign(entity, opaque=True, options=["-stream"]), pki.gateway,
                            "aes256-cbc", ["-stream"]),
    }
    for name, message in forms.items():
        got, layers, _ = open_(pki, tmp_path, message)
        good = got == entity and all(w["result"] == "ok" for w in layers)
        matrix.add(peer.name, "is opened", name, good)
        assert good, (name, layers)


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
