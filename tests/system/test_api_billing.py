"""A billing system behind a bad line: every request goes out as three copies at once, each of which may
be cut off before or after it was understood, time out, and is then sent again; apid is killed in the
middle. In the end the state is as if each order had been made once, and every copy has its answer.
"""
import collections
import concurrent.futures
import contextlib
import http.client
import json
import random
import signal
import socket
import threading
import time

import pytest

from apienv import Client, Platform, Reply
from sealgate.process import wait_for

COPIES = 3
LANES = 8  # orders at a time
HOP = {"protocol": "smtp", "host": "mail.order.test", "port": 25, "tls": "required"}


class BadLine:
    """Sends a request until an answer comes; what happens to each try is up to the dice."""

    def __init__(self, port, token, seed):
        self.port, self.token, self.dice = port, token, random.Random(seed)
        self.lost = collections.Counter()

    def message(self, method, path, body, key):
        data = b"" if body is None else json.dumps(body).encode()
        head = (f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\n"
                f"Idempotency-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n")
        return head.encode() + data

    def once(self, message):
        """The answer, or None: cut off while it was sent, after it was sent, or while it was awaited."""
        fate = self.dice.choices(("cut", "gone", "impatient", "good"), (1, 2, 2, 5))[0]
        with contextlib.suppress(OSError, http.client.HTTPException):
            with socket.create_connection(("127.0.0.1", self.port), timeout=30) as s:
                if fate == "cut":
                    s.sendall(message[:self.dice.randrange(len(message))])
                    return self.lose(fate)
                s.sendall(message)
                if fate == "gone":
                    return self.lose(fate)
                if fate == "impatient":
                    s.settimeout(self.dice.uniform(0.0005, 0.01))
                response = http.client.HTTPResponse(s)
                response.begin()
                return Reply(response)
        return self.lose(fate)

    def lose(self, fate):
        self.lost[fate] += 1

    def call(self, method, path, body, key):
        message = self.message(method, path, body, key)
        for _ in range(2000):
            reply = self.once(message)
            if reply and reply.status not in (409, 503):
                return reply
            if reply:
                self.lost[reply.status] += 1
            time.sleep(self.dice.uniform(0, 0.005))
        raise AssertionError(f"{method} {path}: no answer")


class Billing:
    """The orders, and what was answered."""

    def __init__(self, port, token, seed):
        self.lines = [BadLine(port, token, f"{seed} {n}") for n in range(LANES * COPIES)]
        self.copies = concurrent.futures.ThreadPoolExecutor(LANES * COPIES)
        self.answers, self.lock, self.lanes = {}, threading.Lock(), list(range(LANES))

    def all_copies(self, lane, method, path, body, key, status):
        """Three copies at once; one answer."""
        lines = self.lines[lane * COPIES:(lane + 1) * COPIES]
        replies = list(self.copies.map(lambda line: line.call(method, path, body, key), lines))
        assert [r.status for r in replies] == [status] * COPIES, (path, [(r.status, r.json) for r in replies])
        assert len({r.text for r in replies}) == 1, (path, [r.text for r in replies])
        return replies[0].json

    def order(self, n):
        with self.lock:
            lane = self.lanes.pop()
        try:
            self.answers[n] = self.steps(n, lane)
        finally:
            with self.lock:
                self.lanes.append(lane)

    def steps(self, n, lane):
        """A tenant with a domain and a submitter; a token for it; of some orders more, or less again."""
        def step(method, path, body, what, status):
            return self.all_copies(lane, method, path, body, f"order-{n}-{what}", status)

        made = step("POST", "/v1/provisioning", {
            "tenant": {"name": f"order {n}"},
            "domains": [{"name": f"o{n}.test", "environment": "seemail", "attested": True, "next_hop": HOP}],
            "submitters": [{"kind": "network", "network": f"10.{n >> 8}.{n & 255}.0/28"}]}, "provisioning", 201)
        path = f"/v1/tenants/{made['tenant']['id']}"
        answers = {"provisioning": made}
        answers["token"] = step("POST", "/v1/tokens", {"name": f"order {n}", "role": "tenant-viewer",
                                                       "tenant_id": made["tenant"]["id"]}, "token", 201)
        if n % 3 == 0:
            answers["submitter"] = step("POST", f"{path}/submitters", {
                "kind": "network", "network": f"10.{n >> 8}.{n & 255}.16/28"}, "submitter", 201)
        if n % 5 == 0:
            hop = f"{path}/domains/{made['domains'][0]['domain']['id']}/next-hop"
            answers["hop"] = step("PUT", hop, {**HOP, "port": 1000 + n}, "hop", 200)
        if n % 7 == 0:
            step("DELETE", f"{path}/submitters/{made['submitters'][0]['id']}", None, "delete", 204)
        return answers


@pytest.fixture(scope="module")
def platform():
    with Platform(tenantd=False, hsm=False) as p:
        yield p


def rows(platform, sql):
    with platform.pg.connect("sg_owner") as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def killed_once(platform, billing, count):
    """kill -9 of apid when a third of the orders is there: requests are in flight then."""
    wait_for(lambda: len(billing.answers) >= count // 3, 600, "a third of the orders")
    process = platform.processes.pop("apid")
    process.send_signal(signal.SIGKILL)
    process.wait()
    platform.apid_start()


def test_as_if_each_order_had_been_made_once(platform, request):
    """300 orders, with --long 1000."""
    count = 1000 if request.config.getoption("--long") else 300
    billing = Billing(platform.port, platform.token, count)
    began = time.monotonic()
    killer = threading.Thread(target=killed_once, args=(platform, billing, count))
    killer.start()
    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
        for done in [pool.submit(billing.order, n) for n in range(count)]:
            done.result()
    killer.join()
    lost = sum((line.lost for line in billing.lines), collections.Counter())
    print(f"{count} orders in {time.monotonic() - began:.1f} s; lost on the way: {dict(lost)}")
    assert min(lost[fate] for fate in ("cut", "gone", "impatient")) > count  # the line was bad indeed

    def once(sql, expected):
        assert sorted(rows(platform, sql)) == sorted(expected)

    answers = [billing.answers[n] for n in range(count)]
    once("SELECT id, name FROM tenant", [(a["provisioning"]["tenant"]["id"], f"order {n}")
                                         for n, a in enumerate(answers)])
    once("SELECT id, name FROM domain", [(a["provisioning"]["domains"][0]["domain"]["id"], f"o{n}.test")
                                         for n, a in enumerate(answers)])
    once("SELECT tenant_id, port FROM next_hop", [(a["provisioning"]["tenant"]["id"], 25 if n % 5 else 1000 + n)
                                                  for n, a in enumerate(answers)])
    once("SELECT id FROM submitter", [(a["submitter"]["id"],) for a in answers if "submitter" in a]
         + [(a["provisioning"]["submitters"][0]["id"],) for n, a in enumerate(answers) if n % 7])
    once("SELECT id FROM api_token WHERE tenant_id IS NOT NULL", [(a["token"]["id"],) for a in answers])
    # The audit log tells of each change once, and a key was used up once for each request.
    steps = [1 + 1 + (n % 3 == 0) + (n % 5 == 0) + (n % 7 == 0) for n in range(count)]
    once("SELECT count(*) FROM idempotency_key WHERE status IS NOT NULL", [(sum(steps),)])
    once("SELECT object, action, count(*) FROM audit WHERE tenant_id IS NOT NULL GROUP BY 1, 2", [
        (o, a, n) for o, a, n in (
            ("tenant", "insert", count), ("domain", "insert", count),
                ("domain_ownership", "insert", count), ("next_hop", "insert", count),
            ("next_hop", "update", len(range(0, count, 5))), ("api_token", "insert", count),
            ("submitter", "insert", count + len(range(0, count, 3))),
            ("submitter", "delete", len(range(0, count, 7)))) if n])
    # The token that every copy was shown works.
    for a in answers[:: max(1, count // 20)]:
        Client(platform.port, a["token"]["token"]).get(f"/v1/tenants/{a['provisioning']['tenant']['id']}")
