"""What this CA insists on: REQ-158 to 164 and 166, RFC 3183 section 4.1."""
import calendar
import datetime as dt
import re

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from . import RefcaError

DCA = "domain-confidentiality-authority"
MIN_BITS = 2048
MAX_BITS = 8192
CURVES = (ec.SECP256R1, ec.SECP384R1)
MAX_MONTHS = 13         # REQ-160
KEY_RENEWAL_MONTHS = 48  # REQ-161: a key in use for four years gets no new certificate
KEY_LIFE_MONTHS = 60     # REQ-161: and no certificate reaches beyond five years of its key
DEFAULT_DAYS = 390       # below 13 months whatever the month

LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)\Z")


def add_months(time: dt.datetime, months: int) -> dt.datetime:
    total = time.year * 12 + time.month - 1 + months
    year, month = divmod(total, 12)
    day = min(time.day, calendar.monthrange(year, month + 1)[1])
    return time.replace(year=year, month=month + 1, day=day)


def check_domain(domain: str) -> str:
    domain = domain.lower()
    labels = domain.split(".")
    if len(domain) > 253 or len(labels) < 2 or not all(LABEL.match(label) for label in labels):
        raise RefcaError(f"not a domain name: {domain!r}")
    return domain


def check_request(data: bytes, wanted):
    """The request and the domain it is for: proof of possession, key, naming."""
    try:
        if data.lstrip().startswith(b"-----"):
            csr = x509.load_pem_x509_csr(data)
        else:
            csr = x509.load_der_x509_csr(data)
        signed = csr.is_signature_valid
        digest = csr.signature_hash_algorithm
        key = csr.public_key()
    except Exception as error:  # the library raises many kinds for malformed input
        raise RefcaError(f"the request cannot be read: {error}") from error
    if not signed:
        raise RefcaError("the request is not signed by its own key")
    if isinstance(digest, (hashes.MD5, hashes.SHA1)):
        raise RefcaError(f"the request is signed with {digest.name}")
    check_key(key)
    return csr, _request_domain(csr, wanted)


def check_key(key) -> None:
    if isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, CURVES):
            raise RefcaError(f"a key on {key.curve.name}; P-256 and P-384 are allowed")
        return
    if not isinstance(key, rsa.RSAPublicKey):
        raise RefcaError("only RSA keys and keys on P-256 or P-384 are certified here")
    if not MIN_BITS <= key.key_size <= MAX_BITS:
        raise RefcaError(f"an RSA key of {key.key_size} bits; {MIN_BITS} to {MAX_BITS} are allowed")
    numbers = key.public_numbers()
    if numbers.e < 65537 or numbers.e % 2 == 0 or numbers.n % 2 == 0:
        raise RefcaError("an RSA key with a bad modulus or a public exponent below 65537")


def _request_domain(csr, wanted) -> str:
    names = [name.value for name in csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names and names != [DCA]:  # REQ-164
        raise RefcaError(f"REQ-164: the common name is {names[0]!r} and not {DCA!r}")
    addresses = _request_addresses(csr)
    domains = set()
    for address in addresses:
        local, _, domain = address.rpartition("@")
        if local.lower() != DCA:
            raise RefcaError(f"REQ-164: the address {address!r} is not that of a {DCA}")
        domains.add(check_domain(domain))
    if wanted:
        domains.add(check_domain(wanted))
    if len(domains) > 1:  # REQ-163
        raise RefcaError("REQ-163: one certificate is for one domain, not for "
                         + ", ".join(sorted(domains)))
    if not domains:
        raise RefcaError(f"the request names no domain: {DCA}@domain in its subjectAltName,"
                         " or --domain")
    return domains.pop()


def _request_addresses(csr) -> list:
    addresses = [name.value for name in
                 csr.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS)]
    try:
        alternative = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return addresses
    except Exception as error:
        raise RefcaError(f"the request's extensions cannot be read: {error}") from error
    for name in alternative:
        if not isinstance(name, x509.RFC822Name):
            raise RefcaError("only an rfc822Name may stand in subjectAltName")
        addresses.append(name.value)
    return addresses


def check_key_history(row, domain: str, not_before: dt.datetime) -> None:
    """row: what is known of the key, or None."""
    if not row:
        return
    if row["compromised"]:
        raise RefcaError("this key was revoked as compromised")
    if row["domain"] != domain:
        raise RefcaError(f"this key belongs to {row['domain']}")
    first_use = dt.datetime.utcfromtimestamp(row["first_use"])
    if not_before >= add_months(first_use, KEY_RENEWAL_MONTHS):
        raise RefcaError(f"REQ-161: this key is in use since {first_use:%Y-%m-%d}, four years or"
                         " more; make a new one")


def check_only_one(rows, domain, not_before, not_after) -> None:
    """rows: the domain's certificates that are not revoked."""
    begin, end = (int(t.replace(tzinfo=dt.timezone.utc).timestamp())
                  for t in (not_before, not_after))
    for row in rows:
        if row["not_before"] <= end and begin <= row["not_after"]:
            until = dt.datetime.utcfromtimestamp(row["not_after"])
            raise RefcaError(f"REQ-163: {domain} has certificate {row['serial']} until"
                             f" {until:%Y-%m-%d}; a further one is a renewal (simplereenroll,"
                             " --overlap)")


def check_validity(not_before, not_after, first_use, authority_end, explicit) -> dt.datetime:
    """The end of the certificate: as asked for, or, where nothing was asked, cut to the limits."""
    limits = [(add_months(not_before, MAX_MONTHS), "REQ-160: more than thirteen months"),
              (add_months(first_use, KEY_LIFE_MONTHS),
               "REQ-161: beyond five years of the key's first use"),
              (authority_end, "beyond the CA's own certificate")]
    for limit, words in limits:
        if not_after > limit:
            if explicit:
                raise RefcaError(f"{words} (the end may be {limit.isoformat()}Z at the latest)")
            not_after = limit
    if not_after <= not_before:
        raise RefcaError("the certificate would end before it begins")
    return not_after
