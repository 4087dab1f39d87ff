"""/metrics, /healthz and /readyz of the daemons: they change with what happens. On a complete platform
with real mail, and on apid and tenantd alone. REQ-90 REQ-141 for the clock."""
import concurrent.futures
import contextlib
import ctypes
import os
import re
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from apienv import BUILD, Platform
from pg import ROOT
from sealgate.ops import Ops
from sealgate.ports import PortBlock
from sealgate.process import children, wait_for
from setting import A, B, OUTSIDE, Setting, simple
from test_hsm import Hsmd

DAEMONS = ("gatewayd", "hsmd", "tenantd", "apid")
PATIENCE = 5  # s: a look at a part that takes longer means that it is away


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgo", dir="/var/tmp") as folder:
        s = Setting(folder, block, {f"unknown{i}.test": block.base + 12 for i in range(4)})
        s.copied = False  # what is done to make it is counted
        try:
            yield s.start()
        finally:
            s.stop()


@pytest.fixture(scope="module")
def ops(setting):
    return {d: Ops(setting.platform.layout.ops(d)) for d in DAEMONS}


def await_ready(ops, daemon, ready=True, within=30, part=None):
    """Not ready: because of this part, where one is named."""
    def state():
        status, word, parts = ops[daemon].ready()
        return (status == (200 if ready else 503) and (part is None or parts[part]["ready"] == ready)
                and (word, parts))

    return wait_for(state, within, f"{daemon} to be {'ready' if ready else 'not ready'}")


@pytest.fixture(autouse=True)
def all_ready(request):
    if "ops" in request.fixturenames:
        for daemon in DAEMONS:
            await_ready(request.getfixturevalue("ops"), daemon)


# Format ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("daemon", DAEMONS)
def test_prometheus_reads_it(ops, daemon):
    families = list(text_string_to_metric_families(ops[daemon].metrics()))
    assert len({f.name for f in families}) == len(families)
    names = set()
    for family in families:
        assert re.fullmatch(r"(sealgate|process)_[a-z_]+", family.name)
        assert family.documentation and family.type in ("counter", "gauge", "histogram")
        series = [(s.name, tuple(sorted(s.labels.items()))) for s in family.samples]
        assert len(set(series)) == len(series) > 0
        names.add(family.name)
        if family.type == "histogram":
            check_histogram(family)
    assert {"sealgate_build_info", "sealgate_part_up", "process_resident_memory",
            "process_start_time_seconds"} <= names | {n.removesuffix("_bytes") for n in names}


def check_histogram(family):
    """Buckets rise, the last is the count."""
    groups = {}
    for sample in family.samples:
        key = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
        groups.setdefault(key, {}).setdefault(sample.name.rpartition("_")[2], []).append(sample)
    for group in groups.values():
        counts = [s.value for s in group["bucket"]]
        assert counts == sorted(counts) and group["bucket"][-1].labels["le"] == "+Inf"
        assert counts[-1] == group["count"][0].value and len(group["sum"]) == 1


def test_alerts_are_about_figures_that_exist(setting, ops):
    """Of deploy/prometheus: names and the values of labels; each alert is explained."""
    folder = ROOT / "deploy/prometheus"
    rules = yaml.safe_load((folder / "sealgate.rules.yml").read_text("utf-8"))
    readme = (folder / "README.md").read_text("utf-8")
    series = "\n".join(ops[d].metrics() for d in DAEMONS) + "\n" + queues(setting)
    alerts = [rule for group in rules["groups"] for rule in group["rules"]]
    assert len({a["alert"] for a in alerts}) == len(alerts) > 20
    for alert in alerts:
        assert f"| {alert['alert']} |" in readme
        assert alert["labels"]["severity"] in ("page", "ticket")
        names = re.findall(r"\b((?:sealgate|process)_[a-z_]+)", alert["expr"])
        assert names or alert["expr"].startswith("up{")
        for name in names:
            assert re.search(rf"(?m)^{name}[{{ ]", series), name
        for label, values in re.findall(r'(?:[{,])([a-z]+)=~?"([^"]+)"', alert["expr"]):
            for value in values.split("|") if label != "job" else []:
                assert f'{label}="{value}"' in series, (alert["alert"], value)


def queues(setting):
    parts = setting.platform.postfix_out, setting.platform.postfix_in
    return subprocess.run([ROOT / "deploy/prometheus/postfix-queues", *(part.etc for part in parts)], cwd="/", check=True,
                          text=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL).stdout


def test_queues_of_postfix(setting):
    """Whether it runs, how many mails wait, and for how long."""
    def out():
        return {f.name: s.value for f in text_string_to_metric_families(queues(setting)) for s in f.samples
                if s.labels.get("queue") != "in"}

    part = setting.platform.postfix_out
    part.run("postconf", "-e", "defer_transports=gateway")
    part.run("postfix", "reload")
    try:
        setting.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], "counted-in-the-queue"))
        wait_for(lambda: out()["sealgate_postfix_queue_oldest_seconds"] >= 1, 10, "a second of waiting")
        assert (out()["sealgate_postfix_up"], out()["sealgate_postfix_queue_messages"]) == (1, 1)
    finally:
        part.run("postconf", "-e", "defer_transports=")
        part.run("postfix", "reload")
    part.run("postqueue", "-f")
    setting.arrived(B, "counted-in-the-queue")
    wait_for(lambda: out()["sealgate_postfix_queue_messages"] == 0, 10, "an empty queue")
    assert out()["sealgate_postfix_queue_oldest_seconds"] == 0


def test_nobody_is_named(setting, ops):
    """No tenant, domain or address in any figure."""
    send(setting, ops, "not-named")
    for daemon in DAEMONS:
        text = ops[daemon].metrics()
        assert "@" not in text and not re.search(r"(ten|dom|msg|key)_[0-7][0-9a-z]{25}", text)
        for name in (A, B, OUTSIDE):
            assert name not in text


# Figures -----------------------------------------------------------------------------------------

TOTAL = 'sealgate_gateway_stage_seconds_count{stage="total"}'


def send(setting, ops, subject):
    """A mail from one organisation to the other, until both its ways are told."""
    before = ops["gatewayd"].series()[TOTAL]
    setting.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], subject))
    setting.arrived(B, subject)
    wait_for(lambda: ops["gatewayd"].series()[TOTAL] == before + 2, 10, "the replies")


def difference(before, after):
    return {name: after[name] - before.get(name, 0) for name in after
            if after[name] != before.get(name, 0)}


def test_a_mail_moves_the_counters(setting, ops):
    before = {d: ops[d].series() for d in ("gatewayd", "hsmd")}
    send(setting, ops, "counted")
    key = 'sealgate_gateway_recipients_total{direction="%s",outcome="delivered"}'
    gateway = difference(before["gatewayd"], ops["gatewayd"].series())
    for direction in ("outbound", "inbound"):
        assert gateway['sealgate_gateway_messages_total{direction="%s"}' % direction] == 1
        assert gateway[key % direction] == 1
    assert gateway['sealgate_gateway_delivered_total{direction="outbound",verdict="sealed"}'] == 1
    assert gateway['sealgate_gateway_delivered_total{direction="inbound",verdict="verified"}'] == 1
    assert gateway['sealgate_gateway_edge_total{answer="yes"}'] == 1
    stage = 'sealgate_gateway_stage_seconds_%s{stage="%s"}'
    for name, count in (("seal", 1), ("judge", 1), ("decide", 1), ("deliver", 2), ("total", 2),
                        ("journal", 4)):
        assert gateway[stage % ("count", name)] == count, name
        assert 0 < gateway[stage % ("sum", name)] < 60, name
    hsm = difference(before["hsmd"], ops["hsmd"].series())
    for operation in ("sign", "decrypt"):
        assert hsm['sealgate_hsm_operations_total{operation="%s",result="ok"}' % operation] == 1
        assert hsm['sealgate_hsm_operation_seconds_count{operation="%s"}' % operation] == 1
    found = {name: n for name, n in hsm.items() if name.startswith("sealgate_hsm_cache_total")}
    assert sum(found.values()) == 2
    send(setting, ops, "counted-again")
    after = difference(before["hsmd"], ops["hsmd"].series())
    assert after['sealgate_hsm_cache_total{cache="token",found="hit"}'] >= 1


def test_a_refusal_is_counted_by_its_code(setting, ops):
    before = ops["gatewayd"].series()
    message = simple(f"joe@{OUTSIDE}", [f"ann@{B}"], "no-member")
    with pytest.raises(Exception):  # whose client is not his
        setting.submit(f"joe@{OUTSIDE}", [f"ann@{B}"], message)
    moved = difference(before, ops["gatewayd"].series())
    assert moved['sealgate_gateway_edge_total{answer="no"}'] == 1
    setting.from_outside(f"joe@{A}", [f"ann@{B}"],  # a member's mail that is not sealed
                         simple(f"joe@{A}", [f"ann@{B}"], "unsealed"))
    setting.arrived(B, "unsealed")
    code = 'sealgate_gateway_codes_total{code="002"}'
    wait_for(lambda: ops["gatewayd"].series()[code] == before[code] + 1, 10, "the code")


def test_held_mail_and_states_are_seen(setting, ops):
    api = setting.platform.api
    api.post("/v1/member-domains", {"name": "nocert.test", "environment": "seemail"})
    setting.submit(f"joe@{A}", ["x@nocert.test"], simple(f"joe@{A}", ["x@nocert.test"], "held"))
    held = 'sealgate_held_messages{code="201"}'
    series = wait_for(lambda: (s := ops["tenantd"].series())[held] == 1 and s, 60, "the hold")
    assert series["sealgate_held_oldest_seconds"] > 0
    assert series['sealgate_tenants{state="active"}'] == 3
    assert series['sealgate_domains{state="attested"}'] \
        + series['sealgate_domains{state="verified"}'] == 3
    assert series['sealgate_certificates{days="more"}'] == 3
    assert time.time() - series["sealgate_figures_read_timestamp_seconds"] < 60
    assert series['sealgate_list_members{list="SEEMAIL2"}'] >= 0
    assert series['sealgate_job_attempts_total{kind="key.generate",result="done"}'] == 3
    assert series['sealgate_job_seconds_count{kind="key.generate"}'] == 3
    one = 'sealgate_gateway_recipients_total{direction="outbound",outcome="held"}'
    gateway = wait_for(lambda: (s := ops["gatewayd"].series())[one] == 1 and s, 60, "the outcome")
    assert gateway['sealgate_gateway_stage_seconds_count{stage="hold"}'] == 1


def test_requests_are_counted_by_route(setting, ops):
    before = ops["apid"].series()
    for _ in range(3):
        setting.platform.api.list("/v1/tenants")
    with contextlib.suppress(Exception):
        setting.platform.api.get("/v1/nothing")
    moved = difference(before, ops["apid"].series())
    assert moved['sealgate_api_requests_total{route="GET /v1/tenants",class="2xx"}'] == 3
    assert moved['sealgate_api_requests_total{route="other",class="4xx"}'] == 1
    assert moved['sealgate_api_route_seconds_total{route="GET /v1/tenants"}'] > 0
    assert moved['sealgate_api_request_seconds_count{method="GET"}'] == 3
    limit = ops["apid"].series()['sealgate_database_connections{pool="provider",state="limit"}']
    assert limit > 0


# Readiness ---------------------------------------------------------------------------------------

def test_all_is_well(ops):
    parts = {"gatewayd": {"database", "hsm", "journal", "spool", "directories", "revocation lists", "crashes"},
             "hsmd": {"token"}, "tenantd": {"database", "hsm", "figures"},
             "apid": {"database as sg_auth", "database as sg_api", "database as sg_provider"}}
    for daemon in DAEMONS:
        word, said = await_ready(ops, daemon)
        assert word == "ready" and set(said) == parts[daemon]
        assert all(part["error"] == "" for part in said.values() if part["ready"])
        status, health = ops[daemon].health()
        assert status == 200 and health["status"] == "ok"
        assert all(thread["stuck"] == 0 for thread in health["threads"])
    threads = {t["name"]: t for t in ops["gatewayd"].health()[1]["threads"]}
    assert set(threads) == {"held mail", "discovery", "requests", "notices", "replay", "journal feeder",
                            "revocation lists"}
    assert ops["tenantd"].health()[1]["threads"][0]["name"] == "worker"


# Before PostgreSQL goes away: Postfix takes a minute to find it again.
def test_without_the_directory_mail_goes_on(setting, ops):
    """A part that is optional is named, and the daemon stays ready."""
    setting.platform.directory.stop()
    try:
        for i in range(4):  # for domains that no store knows
            domain = f"unknown{i}.test"
            setting.platform.api.post("/v1/member-domains",
                                      {"name": domain, "environment": "seemail"})
            setting.submit(f"joe@{A}", [f"x@{domain}"],
                           simple(f"joe@{A}", [f"x@{domain}"], f"dir{i}"))
        part = wait_for(lambda: not (p := ops["gatewayd"].ready()[2]["directories"])["ready"] and p,
                        60, "the directory to be missed")
        assert "1 of 1" in part["error"] and part["optional"]
        assert ops["gatewayd"].ready()[0] == 200
        assert ops["gatewayd"].series()['sealgate_gateway_directories{state="away"}'] == 1
    finally:
        setting.platform.directory.start()


def test_without_postgresql(setting, ops):
    setting.platform.postgresql.stop()
    try:
        for daemon, part in (("gatewayd", "database"), ("tenantd", "database"),
                             ("apid", "database as sg_api")):
            word, parts = await_ready(ops, daemon, ready=False, part=part)
            assert word == "not ready" and parts[part]["error"]
            assert ops[daemon].health()[0] == 200  # it lives, and would be no better for a restart
            assert ops[daemon].series()['sealgate_part_up{part="%s"}' % part] == 0
        assert ops["gatewayd"].ready()[2]["hsm"]["ready"]
        assert ops["hsmd"].ready()[0] == 200
    finally:
        setting.platform.postgresql.start()
    for daemon in DAEMONS:
        await_ready(ops, daemon)
    assert ops["gatewayd"].series()['sealgate_part_up{part="database"}'] == 1


def test_postgresql_hangs(setting, ops):
    """What hangs delays no answer, and counts as away."""
    own = setting.platform.postgresql.pid()
    pids = [own, *children(own)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        deadline = time.monotonic() + PATIENCE + 10
        while ops["gatewayd"].ready()[0] == 200:
            assert time.monotonic() < deadline
            begun = time.monotonic()
            assert ops["gatewayd"].health()[0] == 200
            ops["gatewayd"].metrics()
            assert time.monotonic() - begun < 1
            time.sleep(0.1)
        part = ops["gatewayd"].ready()[2]["database"]
        assert "no answer for" in part["error"] or part["error"]
        assert ops["gatewayd"].ready()[2]["hsm"]["ready"]
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    for daemon in DAEMONS:
        await_ready(ops, daemon, within=60)


def test_without_hsmd(setting, ops):
    setting.platform.hsmd.stop()
    try:
        for daemon in ("gatewayd", "tenantd"):
            word, parts = await_ready(ops, daemon, ready=False)
            assert not parts["hsm"]["ready"] and "hsmd" in parts["hsm"]["error"]
            assert parts["database"]["ready"]
            assert ops[daemon].health()[0] == 200
        assert ops["apid"].ready()[0] == 200
        with pytest.raises(OSError):
            ops["hsmd"].ready()
    finally:
        setting.platform.hsmd.start()
    for daemon in DAEMONS:
        await_ready(ops, daemon)


class FaultyHsmd(Hsmd):
    """On a module whose token can be taken away."""

    def __init__(self):
        super().__init__(module=BUILD / "tests/p11-faults.so", retry="200ms", sessions=4)
        self.ops = Ops(self.ops_socket)


def test_hsmd_without_its_token():
    hsmd = FaultyHsmd().token()
    try:
        hsmd.start()
        wait_for(lambda: hsmd.ops.ready()[0] == 200, 30, "hsmd")
        assert hsmd.ops.series()["sealgate_hsm_circuit_open"] == 0
        hsmd.fault("gone")
        _, _, parts = wait_for(lambda: (r := hsmd.ops.ready())[0] == 503 and r, 30,
                               "the token to be missed")
        assert parts["token"]["error"]
        assert hsmd.ops.health()[0] == 200
        assert hsmd.ops.series()["sealgate_hsm_circuit_open"] == 1
        hsmd.faults.unlink()
        wait_for(lambda: hsmd.ops.ready()[0] == 200, 30, "the token's return")
        series = hsmd.ops.series()
        assert series["sealgate_hsm_circuit_open"] == 0 and series["sealgate_hsm_logins_total"] == 2
    finally:
        hsmd.close()


# The listener ------------------------------------------------------------------------------------

def test_sockets_are_not_everybodys(setting):
    for daemon in DAEMONS:
        mode = setting.platform.layout.ops(daemon).stat().st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o660


class Alone(Platform):
    """apid and tenantd on ports of their own, hsmd that can be stopped."""

    def configure(self, **http):
        super().configure(**http)
        self.ops = {"apid": Ops(self.ports.base + 5), "tenantd": Ops(self.ports.base + 6)}
        for name, more in (("apid", ""),
                           ("tenantd", "[jobs]\nlongest = 1s\nlease = 500ms\n")):
            path = self.dir / f"{name}.conf"
            path.write_text(path.read_text()
                            + f"[ops]\nlisten = inet:127.0.0.1:{self.ops[name].address}\n" + more)


@pytest.fixture(scope="module")
def alone():
    with Alone() as platform, contextlib.closing(platform.pg.connect("sg_owner")) as owner:
        def first_jobs_done():
            """Of a new database: they may take longer than a job that is well, on a machine with much to do."""
            with owner.cursor() as cursor:
                cursor.execute("SELECT count(*) FILTER (WHERE state = 'done') > 0 AND count(*) FILTER"
                               " (WHERE state = 'running' OR state = 'queued' AND run_at <= now()) = 0 FROM job")
                return cursor.fetchone()[0]
        wait_for(first_jobs_done, 60, "the first jobs")
        yield platform


@pytest.mark.parametrize("daemon", ["apid", "tenantd"])
def test_what_it_does_not_answer(alone, daemon):
    ops = alone.ops[daemon]
    assert ops.request("/")[0] == 404 and ops.request("/metrics/")[0] == 404
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        status, headers, _ = ops.request("/metrics", method)
        assert status == 405 and headers["Allow"] == "GET, HEAD"
    status, headers, text = ops.request("/healthz", "HEAD")
    assert status == 200 and text == ""
    with pytest.raises(OSError):
        ops.request("/healthz", "POST", b"x" * 100000)
    raw(ops.address, b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    raw(ops.address, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20)
    raw(ops.address, b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n")
    assert ops.health()[0] == 200


def raw(port, data):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        with contextlib.suppress(OSError):
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            return s.recv(65536)
    return b""


@pytest.mark.parametrize("daemon", ["apid", "tenantd"])
def test_200_slow_clients_keep_nobody_out(alone, daemon):
    ops = alone.ops[daemon]
    stop, slow = threading.Event(), []
    for i in range(200):
        s = socket.create_connection(("127.0.0.1", ops.address), timeout=10)
        s.sendall(b"GET /metr" if i % 2 else b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        slow.append(s)

    def trickle():
        while not stop.wait(0.5):
            for s in slow:
                with contextlib.suppress(OSError):
                    s.send(b"a")

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        begun = time.monotonic()
        for _ in range(20):
            assert ops.health()[0] == 200
            assert "sealgate_build_info" in ops.metrics()
        assert time.monotonic() - begun < 10
    finally:
        stop.set()
        thread.join()
        for s in slow:
            s.close()
    results = []
    def many():
        results.append(ops.request("/metrics")[0])
    threads = [threading.Thread(target=many) for _ in range(200)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [200] * 200
    wait_for(lambda: ops.series()["process_open_fds"] < 60, 30, "the connections to be closed")


def test_a_worker_that_hangs_is_no_health(alone):
    """hsmd hangs in the middle of a job: the process lives, its work does not go on."""
    tenant = alone.tenant("hanging")
    wait_for(lambda: alone.ops["tenantd"].ready()[0] == 200, 30, "tenantd")
    hsmd = alone.processes["hsmd"]
    hsmd.send_signal(signal.SIGSTOP)
    try:
        made = tenant.admin.post(f"{tenant.domain_path}/keys",
                                 {"algorithm": "rsa-2048", "kind": "wrapped"}, expect=202)
        health = wait_for(lambda: (h := alone.ops["tenantd"].health())[0] == 503 and h[1], 30,
                          "the worker to be missed")
        assert health["status"] == "stuck"
        worker, = [t for t in health["threads"] if t["name"] == "worker"]
        assert worker["stuck"] == 1 and worker["longest_ms"] > 1000
        assert alone.ops["apid"].health()[0] == 200
        status, _, parts = alone.ops["tenantd"].ready()
        assert parts["database"]["ready"]
    finally:
        hsmd.send_signal(signal.SIGCONT)
    wait_for(lambda: alone.ops["tenantd"].health()[0] == 200, 60, "the worker to go on")
    tenant.admin.job(f"{tenant.path}/jobs/{made['job']['id']}")


def waits(platform):
    with platform.pg.connect("sg_owner").cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0]


def test_stopping_is_said(alone):
    """From SIGTERM on, while what is in flight is finished, it is not ready."""
    with Alone(hsm=False, tenantd=False) as p:
        wait_for(lambda: p.ops["apid"].ready()[0] == 200, 30, "apid")
        with p.pg.connect("sg_owner") as lock, \
                concurrent.futures.ThreadPoolExecutor() as pool:
            with lock.cursor() as cursor:
                cursor.execute("BEGIN; LOCK TABLE sealgate.tenant IN ACCESS EXCLUSIVE MODE")
                asked = pool.submit(p.client().post, "/v1/tenants", {"name": "in flight"})
                wait_for(lambda: waits(p), 10, "the request to wait for the lock")
                p.processes["apid"].terminate()
                _, word, _ = wait_for(lambda: (r := p.ops["apid"].ready())[0] == 503 and r, 5,
                                      "it to be told")
                assert word == "stopping"
                cursor.execute("COMMIT")
            assert asked.result()["name"] == "in flight"


@pytest.mark.parametrize("daemon,address,text", [
    ("apid", "inet:127.0.0.1", "neither inet:"), ("apid", "127.0.0.1:80", "neither inet:"),
    ("tenantd", "unix:relative", "neither inet:"), ("tenantd", "inet:x:port", "neither inet:"),
    ("hsmd", "inet:127.0.0.1:9999", "no network")])
def test_addresses_are_checked(alone, daemon, address, text, tmp_path):
    conf = (alone.dir / f"{daemon}.conf").read_text()
    conf = re.sub(r"\[ops\]\nlisten = .*\n", "", conf) + f"[ops]\nlisten = {address}\n"
    path = tmp_path / "conf"
    path.write_text(conf)
    result = subprocess.run([BUILD / "bin" / daemon, "-t", "-c", path], capture_output=True,
                            text=True, check=False)
    assert result.returncode == 2 and text in result.stderr, result.stderr


# The clock ---------------------------------------------------------------------------------------

class Clocked(Platform):
    """tenantd with a clock of the test's: what the kernel would say of it stands in a file."""

    def __init__(self):
        super().__init__(hsm=False, clock=True)

    def configure(self, **http):
        self.kernel()
        super().configure(**http)
        self.ops = Ops(self.dir / "ops.sock")
        path = self.dir / "tenantd.conf"
        path.write_text(path.read_text().replace(
            "[clock]\n", "[clock]\nwatch = 50ms\ntolerance = 500ms\ngrace = 1s\n")
            + f"[ops]\nlisten = unix:{self.dir}/ops.sock\n")

    def kernel(self, synchronised=1, offset=0, error=1000, most=50000, elsewhere=0):
        new = self.write("sync.new", f"{synchronised} {offset} {error} {most} {elsewhere}\n", 0o644)
        new.replace(self.dir / "clock.sync")

    def incidents(self, state):
        return [row for row in self.client().pages("/v1/incidents", kind="clock.unsynchronised")
                if row["state"] == state]


def test_the_clock_is_watched():
    """REQ-90 REQ-141: told at once, an incident after the grace, and nothing else changes."""
    with Clocked() as p:
        good = "sealgate_clock_synchronised"
        wait_for(lambda: p.ops.series()[good] == 1, 30, "the first look")
        assert p.ops.series()["sealgate_clock_error_seconds"] == 0.001
        assert abs(p.ops.series()["sealgate_clock_database_offset_seconds"]) < 0.5
        assert p.incidents("open") == []
        ready = wait_for(lambda: (r := {name: part["ready"] for name, part in
                                        p.ops.ready()[2].items()})["database"] and r, 10, "parts")
        assert ready == {"database": True, "hsm": False, "figures": True}  # without an hsmd
        for n, (wrong, says) in enumerate(((dict(synchronised=0), "not synchronised"),
                                           (dict(error=600000), "may be wrong by 600 ms"),
                                           (dict(offset=-700000), "-700 ms"),
                                           (dict(elsewhere=3600000000), "ahead"),
                                           (dict(elsewhere=-9000000), "behind"))):
            p.kernel(**wrong)
            wait_for(lambda: p.ops.series()[good] == 0, 10, says)
            said = wait_for(lambda n=n: len(e := p.events("tenantd", "clock.unsynchronised")) > n
                            and e[-1], 10, says)
            assert says in said["what"] and said["level"] == "warning"
            assert p.incidents("open") == []  # within the grace
            incident, = wait_for(lambda: p.incidents("open"), 10, says)
            assert says in incident["summary"] and socket.gethostname() in incident["summary"]
            assert {name: part["ready"] for name, part in p.ops.ready()[2].items()} == ready
            assert p.ops.health()[0] == 200
            p.kernel()
            wait_for(lambda: p.ops.series()[good] == 1, 10, says)
            wait_for(lambda: p.incidents("open") == [], 10, says)
        assert len(p.incidents("resolved")) == 5
        # What passes within the grace is no incident.
        p.kernel(synchronised=0)
        wait_for(lambda: p.ops.series()[good] == 0, 10, "the short time")
        p.kernel()
        wait_for(lambda: p.ops.series()[good] == 1, 10, "its end")
        assert len(p.incidents("resolved")) == 5 and p.incidents("open") == []


def test_the_kernel_is_really_asked(ops):
    """Programs as they ship, on this host's clock; the same answer as from libc."""
    class Timex(ctypes.Structure):
        _fields_ = [("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long),
                    ("maxerror", ctypes.c_long), ("esterror", ctypes.c_long),
                    ("status", ctypes.c_int), ("rest", ctypes.c_char * 256)]

    t = Timex()
    state = ctypes.CDLL(None).adjtimex(ctypes.byref(t))
    for daemon in ("gatewayd", "tenantd"):
        series = ops[daemon].series()
        assert series["sealgate_clock_error_seconds"] == pytest.approx(t.esterror / 1e6, abs=0.1)
        if state == 5 or t.status & 0x40:  # TIME_ERROR, STA_UNSYNC
            assert series["sealgate_clock_synchronised"] == 0
        assert abs(series["sealgate_clock_database_offset_seconds"]) < 1
