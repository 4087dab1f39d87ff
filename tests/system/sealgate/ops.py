"""/metrics, /healthz and /readyz of a daemon, over its Unix socket or a port."""
import http.client
import json
import re
import socket


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Ops:
    """address: a socket's path, or a port on 127.0.0.1."""

    def __init__(self, address, timeout=10):
        self.address, self.timeout = address, timeout

    def connection(self):
        if isinstance(self.address, int):
            return http.client.HTTPConnection("127.0.0.1", self.address, timeout=self.timeout)
        return UnixConnection(self.address, self.timeout)

    def request(self, path, method="GET", body=None):
        """Status, headers, text."""
        connection = self.connection()
        try:
            connection.request(method, path, body)
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read().decode("utf-8")
        finally:
            connection.close()

    def health(self):
        status, _, text = self.request("/healthz")
        return status, json.loads(text)

    def ready(self):
        """Status, and what is said of each part."""
        status, _, text = self.request("/readyz")
        said = json.loads(text)
        return status, said["status"], {part["name"]: part for part in said["parts"]}

    def metrics(self):
        status, headers, text = self.request("/metrics")
        assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return text

    def series(self):
        """{'name{label="value"}': number}"""
        found = {}
        for line in self.metrics().splitlines():
            match = re.fullmatch(r'([a-z_]+(?:\{.*\})?) ([-+0-9.eInf]+)', line)
            if match:
                found[match[1]] = float(match[2])
        return found
