"""What tests make out of api/openapi.yaml: paths with ids, and for each operation that takes a body
one that is good as far as the description goes. So a new operation needs no row in a test's table.
"""
import datetime
import functools
import json
import re
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from apienv import BUILD, OPENAPI, new_id

ROUTES = {(r["method"], r["path"]): r for r in json.loads(
    subprocess.run([BUILD / "bin/apid", "--routes"], capture_output=True, check=True).stdout)}

# The prefix of the ids that each part of a path takes.
PREFIX = {name: OPENAPI.schema(p["schema"])["pattern"][1:4]
          for name, p in OPENAPI.doc["components"]["parameters"].items() if p["in"] == "path"}

# Values of strings that the schema alone does not tell, by the name of the field …
HINTS = {"network": "203.0.113.0/24", "host": "mail.agency.test", "fingerprint": "0123456789abcdef" * 4,
         "url": "ldap://other.test", "base_dn": "c=NZ", "scope": "domains:read",
         "period": "2026-02", "address": "desk@agency.test", "mailbox": "postmaster@agency.test",
         "begins_at": "2098-12-31T00:00:00Z",
         "ends_at": "2098-12-31T01:00:00Z", "sha256": "0" * 64, "valid_until": "2099-01-01T00:00:00.000Z"}
# … and bodies where several fields hang together.
BODIES = {
    ("POST", "/v1/tenants/{tenant_id}/domains"): {"name": "new.test"},
    ("POST", "/v1/tenants/{tenant_id}/submitters"): {"kind": "network",
                                                     "network": "203.0.113.0/24"},
    ("PATCH", "/v1/api-clients/{client_id}"): {"name": "renamed"},
    ("POST", "/v1/tenants/{tenant_id}/domains/{domain_id}/postmaster/confirm"): {
        "code": "1234-5678"},
    ("POST", "/v1/documents"): {"text": "read me"},
    ("POST", "/v1/tenants/{tenant_id}/held-actions"): {"action": "release", "all": True},
    ("POST", "/v1/tenants/{tenant_id}/simulations"): {"recipients": ["ann@recipient.test"]},
}


def fill(pattern, *sets):
    """A path with ids; where the sets have none, one that nobody has."""
    ids = {k: v for s in sets for k, v in s.items()}
    return re.sub(r"\{([a-z_]+)\}", lambda m: ids.get(m[1]) or new_id(PREFIX[m[1]]), pattern)


def nowhere(pattern):
    return fill(pattern)


@functools.cache
def root_pem():
    return self_signed("A Root of the Tests")


def self_signed(name):
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.utcnow()
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now - datetime.timedelta(days=1))
               .not_valid_after(now + datetime.timedelta(days=9))
               .add_extension(x509.BasicConstraints(True, None), True))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def example(schema, name):
    """A value of a schema: the least that is good."""
    schema = OPENAPI.schema(schema)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema["type"]
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        return {k: example(schema["properties"][k], k) for k in schema.get("required", [])}
    if kind == "array":
        return [example(schema["items"], name)] * schema.get("minItems", 0)
    if kind == "boolean":
        return True
    if kind == "integer":
        return schema.get("minimum", 1)
    return string(schema, name)


def string(schema, name):
    if name in HINTS:
        return HINTS[name]
    pattern = schema.get("pattern", "")
    if re.match(r"\^[a-z]{3}_", pattern):
        return new_id(pattern[1:4])
    if "T[0-9]" in pattern:
        return "2026-11-25T00:00:00Z"
    if "pem" in name:
        return root_pem()
    if "A-labels" in schema.get("description", ""):
        return "new.test"
    return "x" * max(schema.get("minLength", 1), 1)


def body_schema(method, path):
    body = OPENAPI.operations[method, path].get("requestBody")
    return body and body["content"]["application/json"]["schema"]


def good_body(method, path):
    """None where the operation takes no body."""
    schema = body_schema(method, path)
    if schema is None:
        return None
    return {**example(schema, ""), **BODIES.get((method, path), {})}
