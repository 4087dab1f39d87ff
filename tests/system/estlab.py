"""The reference CA with its EST server, and clients of it that are not ours: curl, openssl, and
python3-cryptography for what has to be made wrong."""
import base64
import json
import pathlib
import subprocess
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7

from certlab import CA, DER, PEM, REFCA, Process, dca_csr, rsa_key, wait_for
from sealgate import keypool

PASSWORD = "a password of the tests"
EST = "/.well-known/est"


class Answer:
    def __init__(self, head, body):
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split()[1]) if lines[0] else 0
        self.headers = {name.lower(): value for name, _, value in
                        (line.partition(": ") for line in lines[1:])}
        self.body = body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def certificates(self):
        return pkcs7.load_der_pkcs7_certificates(base64.b64decode(self.body))

    @property
    def certificate(self):
        assert self.status == 200, (self.status, self.body)
        one, = self.certificates
        return one


class CurlFailed(Exception):
    """No answer: its exit status, RFC 9110 or not."""

    def __init__(self, code, words):
        super().__init__(f"{code}: {words}")
        self.code = code


class Server(Process):
    """refca serve, with a log in which nothing of the interpreter's may stand."""

    def __init__(self, command, ready, log):
        super().__init__(command, ready)
        self.log = log

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        wait_for(self.ready)

    def stop(self):
        super().stop()
        text = self.log.read_text(errors="replace")
        assert "Traceback" not in text, text[text.index("Traceback"):][:3000]
        assert all(line.isprintable() for line in text.split("\n"))


class EstCA(CA):
    """Account "gateway" for every domain, unless the test makes others. Its server is not started."""

    def __init__(self, folder, port, *arguments):
        super().__init__(folder, port, *arguments)
        self.est_port = port + 1
        self("est-init", "--keys", keypool.take(), keypool.take())
        self.fault_file = self.folder / "fault.json"
        self.clock_file = self.folder / "clock"
        self.password_file = self.folder / "gateway.password"
        self.password_file.write_text(PASSWORD + "\n")
        self("account-add", "gateway", "--password-file", self.password_file)
        self.serve()

    def serve(self, *options):
        """How its server is started the next time; as it is now, with these options."""
        self.server = Server(
            [REFCA, "--dir", self.folder, "--clock-file", self.clock_file, "serve", "--port",
             self.port, "--est-port", self.est_port, "--fault", self.fault_file,
             *options], self.answers, self.folder / "serve.log")
        return self.server

    def clock(self, seconds):
        new = self.clock_file.with_suffix(".new")
        new.write_text(f"{seconds}\n")
        new.replace(self.clock_file)

    def fault(self, *words, **more):
        new = self.fault_file.with_suffix(".new")
        new.write_text(json.dumps({"fault": words, **more} if words else {}))
        new.replace(self.fault_file)

    def curl(self, path, *arguments, user=f"gateway:{PASSWORD}", timeout=30):
        """Over verified TLS; path below the server's root."""
        result = subprocess.run(
            ["curl", "-sS", "--http1.1", "--max-time", str(timeout), "--cacert",
             self.folder / "est-ca.pem", "-D", "/dev/stderr", *(["-u", user] if user else []),
             *arguments, f"https://127.0.0.1:{self.est_port}{path}"],
            capture_output=True, check=False, stdin=subprocess.DEVNULL)
        if result.returncode:
            raise CurlFailed(result.returncode, result.stderr.decode(errors="replace"))
        head = [part for part in result.stderr.split(b"\r\n\r\n") if part][-1]
        return Answer(head, result.stdout)

    def ask(self, csr, operation="simpleenroll", content_type="application/pkcs10", **more):
        """csr: PEM, or bytes that go as they are."""
        body = csr if not csr.startswith(b"-----") else base64.encodebytes(
            x509.load_pem_x509_csr(csr).public_bytes(DER))
        with tempfile.NamedTemporaryFile() as file:
            file.write(body)
            file.flush()
            return self.curl(f"{EST}/{operation}", "-H", f"Content-Type: {content_type}",
                             "--data-binary", f"@{file.name}", **more)

    def enrol(self, domain, operation="simpleenroll", key=None, **more):
        return self.ask(dca_csr(domain, key or rsa_key(domain)), operation, **more)

    def revoke_by_est(self, serial, reason="superseded", user=f"gateway:{PASSWORD}", **more):
        body = json.dumps({"serial": serial, "reason": reason, **more})
        return self.curl("/revocations", "-H", "Content-Type: application/json", "-d", body,
                         user=user)

    def issued(self, domain=None):
        rows = [json.loads(line) for line in self("list").splitlines()]
        return [row for row in rows if domain in (None, row["domain"])]


def save(certificate, path):
    path = pathlib.Path(path)
    path.write_bytes(certificate.public_bytes(PEM))
    return path
