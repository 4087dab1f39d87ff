"""NIST PKITS, sections 4.1 to 4.16: every path to an end certificate, with the settings that we have.

NIST's certificates and lists as they are in Debian's python3-cryptography-vectors. The status that is wanted of each, a
failure's kind too, is in tests/vectors/pkits/paths.tsv; what differs from NIST has its reason there. REQ-15 REQ-36
"""
import collections
import datetime as dt
import pathlib
import shutil

import cryptography_vectors
import pytest

from certlab import PEM, Probe, unix
from cryptography import x509

DATA = pathlib.Path(cryptography_vectors.__file__).parent / "x509/PKITS_data"

NOW = dt.datetime(2026, 11, 1)

EXPECTED = pathlib.Path(__file__).resolve().parents[1] / "vectors/pkits/paths.tsv"


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pkits")
    for name in ("anchors", "partners", "crls"):
        (folder / name).mkdir()
    shutil.copytree(DATA / "crls", folder / "lists")
    made = Probe(folder, [DATA / "certs/TrustAnchorRootCertificate.crt"], program="pkits_probe", max_certificates=400)
    yield made
    made.close()


def issuers():
    """CA certificates by their names; which of those of a name a path goes through is ours to find."""
    found = collections.defaultdict(list)
    for file in sorted((DATA / "certs").glob("*.crt")):
        if not file.stem.endswith("EE") and file.stem != "TrustAnchorRootCertificate":
            certificate = x509.load_der_x509_certificate(file.read_bytes())
            found[normal(certificate.subject)].append(certificate)
    return found


def normal(name):
    """As names are compared: without case and further white space."""
    return tuple((a.oid, " ".join(a.value.lower().split())) for a in name)


def above(certificate, known):
    """All that may lie between the certificate and the root."""
    names, todo, out = set(), [normal(certificate.issuer)], []
    while todo:
        name = todo.pop()
        if name not in names:
            names.add(name)
            out += known[name]
            todo += [normal(ca.issuer) for ca in known[name]]
    return out


def test_every_path(probe, tmp_path):
    """Each verdict is the one that is written down; one that is not NIST's has its reason there."""
    rows = [line.split("\t") for line in EXPECTED.read_text(encoding="ascii").splitlines() if not line.startswith("#")]
    known, helpers, wrong = issuers(), tmp_path / "helpers.pem", []
    assert {row[0] for row in rows} == {file.stem for file in (DATA / "certs").glob("*EE.crt")}
    for name, nist, ours, *reason in rows:
        path = DATA / f"certs/{name}.crt"
        cas = above(x509.load_der_x509_certificate(path.read_bytes()), known)
        helpers.write_bytes(b"".join(ca.public_bytes(PEM) for ca in cas))
        answer = probe.command("check", "sign", "-", unix(NOW), path, helpers)
        if answer["status"] != ours or (nist == "valid") != (ours == "valid") and not reason:
            wrong.append((name, nist, ours, answer["status"], answer["detail"]))
    assert wrong == []
