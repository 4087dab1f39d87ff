"""The EST server (RFC 7030) and POST /revocations, over TLS."""
import base64
import binascii
import json
import sqlite3
import time
from types import SimpleNamespace

from cryptography.hazmat.primitives import hashes

from . import RefcaError, accounts, authority, clock, est, faults, rules, strict_http, tls
from .store import Store

PREFIX = "/.well-known/est/"
PKCS7 = "application/pkcs7-mime"
CERTS_ONLY = f"{PKCS7}; smime-type=certs-only"
BASE64 = {"Content-Transfer-Encoding": "base64"}
ENROL = {"simpleenroll": "enroll", "simplereenroll": "reenroll"}
REASONS = ["unspecified", "keyCompromise", "affiliationChanged", "superseded",
           "cessationOfOperation", "certificateHold", "removeFromCRL", "privilegeWithdrawn"]


class Problem(Exception):
    def __init__(self, status, words, **headers):
        super().__init__(words)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Handler(strict_http.Handler):
    def answer(self, body):
        self.path = self.path.partition("?")[0]
        json_wanted = self.path == "/revocations"
        try:
            with Store(self.server.folder) as self.store:
                if not self._misbehave(body):
                    self._dispatch(body)
        except est.Refused as error:
            self._problem(json_wanted, error.status, str(error), {})
        except Problem as error:
            self._problem(json_wanted, error.status, str(error), error.headers)
        except sqlite3.OperationalError as error:
            self.log_error("%s", error)
            self._problem(json_wanted, 503, "the CA is busy", {"Retry-After": "1"})
        except RefcaError as error:
            self.log_error("%s", error)
            self._problem(json_wanted, 500, str(error), {})

    def _problem(self, as_json, status, words, headers):
        self.note(words)
        if as_json:
            body = json.dumps({"type": "about:blank", "title": self.responses[status][0],
                               "status": status, "detail": words}).encode() + b"\n"
            self.send(status, body, "application/problem+json", headers)
        else:
            self.send(status, words, headers=headers)

    def note(self, words):
        """In the log, beside the request's line: what was done or why it was not."""
        self.log_message("%s", words)

    def _dispatch(self, body):
        name = self.path.removeprefix(PREFIX) if self.path.startswith(PREFIX) else None
        if self.path == "/healthz" and self.command != "POST":
            self.send(200, "ok")
        elif name == "cacerts" and self.command != "POST":
            self.send(200, est.certs_only(est.ca_certificates(self.store)), PKCS7, BASE64)
        elif name == "csrattrs" and self.command != "POST":
            self.send(204, "")  # none: the names are made from the domain
        elif name in ENROL and self.command == "POST":
            self._enrol(self._authenticate(), body, ENROL[name])
        elif self.path == "/revocations" and self.command == "POST":
            self._revoke(self._authenticate(), body)
        elif name in ENROL or self.path == "/revocations":
            raise Problem(405, "POST alone", Allow="POST")
        elif name in ("cacerts", "csrattrs"):
            raise Problem(405, "GET alone", Allow="GET, HEAD")
        else:
            raise Problem(404, "there is nothing here")

    # Who asks ---------------------------------------------------------------------------------

    def _authenticate(self):
        der = self.request.getpeercert(True)
        account = accounts.by_certificate(self.store, der) if der else None
        if account:
            return account
        name, password = self._basic()
        address, throttle = self.client_address[0], self.server.throttle
        self._patience(address, name)
        account = accounts.by_known_password(self.store, name, password)
        if account:
            return account
        with throttle.turn:
            self._patience(address, name)
            account = accounts.by_password(self.store, name, password)
            if account:
                throttle.succeeded(address, name)
                return account
            throttle.failed(address, name)
        raise self._unauthorised("wrong account or password")

    def _patience(self, address, name):
        wait = self.server.throttle.wait(address, name)
        if wait > 0:
            raise Problem(429, "too many wrong passwords; wait", Retry_After=str(int(wait) + 1))

    def _basic(self):
        given = self.headers.get_all("Authorization", [])
        if not given:
            raise self._unauthorised("an account's password or TLS client certificate is needed")
        scheme, _, value = given[0].partition(" ")
        try:
            if len(given) > 1 or scheme.lower() != "basic":
                raise ValueError
            name, colon, password = base64.b64decode(value.strip(), validate=True).partition(b":")
            if not colon:
                raise ValueError
            return name.decode("ascii"), password
        except (ValueError, binascii.Error):
            raise self._unauthorised("Authorization is not HTTP Basic, or is malformed") from None

    @staticmethod
    def _unauthorised(words):
        return Problem(401, words, WWW_Authenticate='Basic realm="refca", charset="UTF-8"')

    # What is asked ----------------------------------------------------------------------------

    def _enrol(self, account, body, kind):
        content_type = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if content_type != "application/pkcs10":
            raise Problem(415, "a request is application/pkcs10")
        options = self.server.options
        done = est.enrol(self.store, account, body, kind, options.manual, options.days)
        if done.state == "pending":
            self.note(f"{account['name']}: {kind} {done.domain}: request {done.id} waits")
            self.send(202, f"request {done.id} waits for the CA's decision",
                      headers={"Retry-After": str(options.retry_after)})
            return
        self.note(f"{account['name']}: {kind} {done.domain}: certificate"
                  f" {done.certificate.serial_number:x}{' again' if done.again else ''}")
        self.server.caretaker.changed(done.domain)
        self._send_certificate(done.certificate)

    def _send_certificate(self, certificate):
        self.send(200, est.certs_only([certificate]), CERTS_ONLY, BASE64)

    def _revoke(self, account, body):
        serial, issuer, reason = self._revocation(body)
        _, ca = self.store.load_authority(self.store.issuer)
        if issuer not in (None, ca.fingerprint(hashes.SHA256()).hex()):
            raise Problem(404, "not issued by this CA: issuer_sha256 is another's")
        row = self.store.db.execute("SELECT * FROM certificate WHERE serial = ?",
                                    (serial,)).fetchone()
        if not row:
            raise Problem(404, f"no certificate with serial number {serial} was issued here")
        if not accounts.may(account, row["domain"]):
            raise Problem(403, f"account {account['name']} may not revoke for {row['domain']}")
        if reason == "removeFromCRL":
            if row["revoked_at"] is not None and row["reason"] != "certificateHold":
                raise Problem(409, f"{serial} is revoked ({row['reason']}) for good")
            changed = row["revoked_at"] is not None
            row = authority.restore(self.store, serial, account["name"]) if changed else row
        else:
            row, changed = authority.revoke(self.store, serial, reason, account=account["name"])
        self.note(f"{account['name']}: {row['domain']} {serial}: {reason}"
                  f"{'' if changed else ', as before'}")
        self.server.caretaker.fresh_lists()
        self.server.caretaker.changed(row["domain"])
        self.send(200, json.dumps({
            "serial": row["serial"], "domain": row["domain"],
            "state": {None: "valid", "certificateHold": "suspended"}.get(row["reason"], "revoked"),
            "reason": row["reason"], "revoked_at": clock.iso(row["revoked_at"])}).encode() + b"\n",
            "application/json")

    def _revocation(self, body):
        content_type = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if content_type != "application/json":
            raise Problem(415, "a revocation is application/json")
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            raise Problem(400, "the body is not JSON") from None
        if not isinstance(asked, dict) or not all(isinstance(v, str) for v in asked.values()):
            raise Problem(400, "an object of strings is wanted: serial, reason, issuer_sha256")
        unknown = asked.keys() - {"serial", "reason", "issuer_sha256"}
        if unknown:
            raise Problem(400, f"unknown: {', '.join(sorted(unknown))}")
        serial = asked.get("serial", "").lower().replace(":", "").lstrip("0")
        if not serial or len(serial) > 40 or set(serial) - set("0123456789abcdef"):
            raise Problem(400, "serial: a serial number in hexadecimal is wanted")
        reason = asked.get("reason", "")
        if reason not in REASONS:
            raise Problem(400, f"reason: one of {', '.join(REASONS)} is wanted")
        issuer = asked.get("issuer_sha256")
        return serial, issuer and issuer.lower().replace(":", ""), reason

    # What is done wrong on purpose --------------------------------------------------------------

    def _misbehave(self, body):
        """Whether the request was answered, or is never to be."""
        csr, domain = self._asked(body)
        fault = self.server.faults.current(self.path, domain)
        if not fault:
            return False
        self.note(f"fault on purpose: {vars(fault)}")
        if fault.slow:
            self.server.caretaker.stopped.wait(fault.slow)
        after = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
        if fault.simple == "down":
            self.close_connection = True
            return True
        if fault.status:
            if fault.status == 401:
                after["WWW-Authenticate"] = 'Basic realm="refca"'
            raise Problem(fault.status, "a fault on purpose", **after)
        if fault.pending is not None:
            raise Problem(202, "a fault on purpose", Retry_After=str(fault.pending))
        if fault.simple:
            self._send_wrong(fault.simple)
            return True
        if not fault.certificate or not csr or not self.path.startswith(PREFIX):
            return False
        self._authenticate()
        self._send_certificate(faults.certificate(self.store, csr, domain, fault.certificate))
        return True

    def _asked(self, body):
        if self.server.faults.idle or self.path.removeprefix(PREFIX) not in ENROL:
            return None, None
        try:
            return rules.check_request(est.decode(body), None)
        except RefcaError:
            return None, None

    def _send_wrong(self, kind):
        whole = est.certs_only(est.ca_certificates(self.store))
        if kind == "html":
            self.send(200, b"<html><body>Please log in.</body></html>\n", "text/html")
        elif kind == "latin-1":
            self.send(200, b"H\xf6flichkeit\r\n", "text/h\xf6flich")
        elif kind == "garbage":
            self.send(200, base64.encodebytes(bytes(range(256))), CERTS_ONLY, BASE64)
        elif kind == "empty":
            self.send(200, est.certs_only([]), CERTS_ONLY, BASE64)
        else:
            self.send(200, whole[:len(whole) // 2], CERTS_ONLY, BASE64, close=True,
                      length=len(whole))


class Server(strict_http.Server):
    def __init__(self, folder, address, chosen, caretaker):
        """chosen: options(). caretaker: is told of what changed."""
        self.contexts = tls.Contexts(folder)
        super().__init__(address, Handler, chosen.request_seconds, chosen.connections)
        self.folder, self.options, self.caretaker = folder, chosen, caretaker
        self.throttle = accounts.Throttle(time.monotonic)
        self.faults = faults.Faults(chosen.fault)
        self.quiet = chosen.quiet

    def secure(self, connection):
        with Store(self.folder) as store:
            context = self.contexts.current(store)
        return context.wrap_socket(connection, server_side=True)


def options(manual=False, days=None, retry_after=60, request_seconds=15, connections=200,
            fault=None, quiet=False):
    return SimpleNamespace(manual=manual, days=days, retry_after=retry_after,
                           request_seconds=request_seconds, connections=connections, fault=fault,
                           quiet=quiet)
