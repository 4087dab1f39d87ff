"""A client of the REST API, for quickstart and tests."""
import json
import time
import urllib.error
import urllib.parse
import urllib.request

from .process import NotReady


class Problem(Exception):
    """An answer that is not 2xx; .status and .body (the problem's object)."""

    def __init__(self, method, path, status, body):
        self.status, self.body = status, body
        super().__init__(f"{method} {path}: {status} {body.get('title', '')} "
                         f"{body.get('detail', '')} {body.get('pointer', '')}".strip())


class Api:
    def __init__(self, url, token=None):
        self.url, self.token = url, token

    def request(self, method, path, body=None, **query):
        query = {name: value for name, value in query.items() if value is not None}
        url = self.url + path + ("?" + urllib.parse.urlencode(query) if query else "")
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            text = error.read()
            try:
                problem = json.loads(text)
            except ValueError:
                problem = {"title": text.decode("utf-8", "replace")[:200]}
            raise Problem(method, path, error.code, problem) from None
        return json.loads(text) if text else None

    def get(self, path, **query):
        return self.request("GET", path, **query)

    def post(self, path, body=None):
        return self.request("POST", path, body)

    def put(self, path, body):
        return self.request("PUT", path, body)

    def delete(self, path):
        return self.request("DELETE", path)

    def list(self, path, **query):
        """All pages of a list."""
        rows, cursor = [], None
        while True:
            page = self.get(path, cursor=cursor, **query)
            rows += page["data"]
            cursor = page["next_cursor"]
            if cursor is None:
                return rows

    def find(self, path, **fields):
        """The first row of a list with these fields; None."""
        for row in self.list(path):
            if all(row.get(name) == value for name, value in fields.items()):
                return row
        return None

    def ready(self):
        return self.get("/readyz") is not None

    def job_done(self, tenant_id, job, timeout=60):
        """Waits for a job; its object. NotReady with its words where it failed."""
        path = f"/v1/tenants/{tenant_id}/jobs/{job['id']}"
        end, pause = time.monotonic() + timeout, 0.02
        while True:
            job = self.get(path)
            if job["state"] == "done":
                return job
            if job["state"] in ("dead", "cancelled"):
                raise NotReady(f"job {job['kind']} failed: {job['last_error']}")
            if time.monotonic() > end:
                raise NotReady(f"job {job['kind']} {job['state']} after {timeout} s: "
                               f"{job['last_error']}")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)
