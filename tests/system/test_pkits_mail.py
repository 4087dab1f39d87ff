"""The mails of NIST's PKITS: each signature through smime, its certificate and the lists that came along through cert.

The certificates are no domain's, so they are judged as a signer's without a domain. pkits_mails.tsv says what is
expected of each mail; where that is not what NIST expects of its path it says why.

REQ-1 REQ-15 REQ-22 REQ-36 REQ-81
"""
import datetime as dt
import email
import pathlib
import re
import subprocess
import tempfile
import warnings

import cryptography_vectors
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

import forge
from certlab import BUILD, Probe

PKITS = pathlib.Path(cryptography_vectors.__file__).parent / "x509/PKITS_data"
TABLE = pathlib.Path(__file__).with_name("pkits_mails.tsv")
ROWS = [(line.split("\t") + [""])[:5] for line in TABLE.read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")]
NOW = dt.datetime(2026, 11, 29, tzinfo=dt.timezone.utc)


@pytest.fixture(scope="module")
def lab():
    with tempfile.TemporaryDirectory(prefix="sgk", dir="/var/tmp") as folder:
        folder = pathlib.Path(folder)
        probe = Probe(folder / "probe", [PKITS / "certs/TrustAnchorRootCertificate.crt"])
        yield folder, probe
        probe.close()


def signature_of(mail):
    """Certificates and revocation lists that the SignedData of a mail carries."""
    der = email.message_from_bytes(mail).get_payload()[1].get_payload(decode=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a serial number below zero, on purpose
        certificates = pkcs7.load_der_pkcs7_certificates(der)
    (_, info, _), = forge.elements(der)
    (_, content, _), = forge.elements(forge.elements(info)[1][2])
    (_, signed, _), = forge.elements(content)
    lists = [content for tag, content, _ in forge.elements(signed) if tag == 0xa1]
    return certificates, b"".join(lists)


def judge(lab, name):
    folder, probe = lab
    path = PKITS / f"smime/Signed{name}.eml"
    said = subprocess.run([BUILD / "tests/smime-probe", "open", path, folder / "out"], check=True,
                          capture_output=True, text=True).stdout
    certificates, lists = signature_of(path.read_bytes())
    of_signer = re.search(r"certificate=(\w+)", said)[1]
    signer, = {c for c in certificates if c.fingerprint(hashes.SHA256()).hex() == of_signer}
    (folder / "signer").write_bytes(signer.public_bytes(Encoding.DER))
    (folder / "others").write_bytes(b"".join(c.public_bytes(Encoding.PEM) for c in certificates))
    (folder / "lists").write_bytes(lists)
    answer = probe.command("check", "sign", "-", int(NOW.timestamp()), folder / "signer", folder / "others",
                           folder / "lists")
    return re.search(r"layer=signed result=(\S+)", said)[1], answer["status"], answer


def test_all_mails_are_in_the_table():
    assert sorted(f"Signed{row[0]}" for row in ROWS) == sorted(p.stem for p in (PKITS / "smime").glob("*.eml"))


def test_every_deviation_has_its_reason():
    for name, nist, signature, certificate, why in ROWS:
        assert nist in ("valid", "invalid"), name
        assert (nist == "valid") == (signature == "ok" and certificate == "valid") or why, name
        assert not why or (nist == "valid") != (signature == "ok" and certificate == "valid"), name


@pytest.mark.parametrize("name, signature, certificate", [(r[0], r[2], r[3]) for r in ROWS])
def test_mail(lab, name, signature, certificate):
    got = judge(lab, name)
    assert got[:2] == (signature, certificate), got[2]
