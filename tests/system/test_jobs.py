"""Jobs: two tenantd over one table. Order, pauses, dead letters, leases at their edge, schedules over jumps of the
clock, and kill -9 at random: each effect once, none lost, nothing orphaned."""
import datetime
import json
import os
import random
import signal
import threading
import time

import pytest

from apienv import Platform, new_id
from sealgate.mailserver import HANG, MailServer
from sealgate.process import wait_for
from test_schema import Session

HOUR, DAY = 3600, 86400
NOWHERE = "dom_00000000000000000000000000"  # domain.check of it is done at once, and does nothing


class World:
    def __init__(self, platform):
        self.platform, self.names = platform, ["tenantd", "tenantd-2"]
        self.provider, self.tenant_session = (Session(platform.pg, role)
                                              for role in ("sg_provider", "sg_tenant"))

    def configure(self, **settings):
        p = self.platform
        p.settings = {"jobs.workers": 2, "jobs.lease": "1s", "jobs.poll": "200ms",
                      "jobs.retry": "100ms", "mail.server": "127.0.0.1", "mail.port": p.mail_port,
                      "mail.sender": "sealgate@provider.test", "mail.tls": "none",
                      **{k.replace("__", "."): v for k, v in settings.items()}}
        p.configure()

    def start(self, *names):
        for name in names or self.names:
            known = len(self.platform.events(name, "ready")) if self.platform.log(name).exists() else 0
            self.platform.tenantd_start(name)
            wait_for(lambda: self.platform.alive(name)
                     and len(self.platform.events(name, "ready")) > known, 20, name)

    def stop(self):
        for name in self.names:
            if name in self.platform.processes:
                assert self.platform.stop(name) == 0

    def kill(self, name):
        process = self.platform.processes.pop(name)
        process.kill()
        process.wait()

    def job(self, kind, tenant=None, payload=None, **more):
        now = datetime.datetime.now(datetime.timezone.utc)
        values = {"max_attempts": 5, "run_at": now, **more}
        return self.provider.insert("job", id=new_id("job"), tenant_id=tenant, kind=kind,
                                    payload=json.dumps(payload or {}), state="queued",
                                    created_at=now, **values)

    def idle(self, tenant=None, **more):
        return self.job("domain.check", tenant, {"domain_id": NOWHERE}, **more)

    def mail(self, tenant=None, **more):
        return self.job("mail.send", tenant, {"to": ["ann@agency.test"], "subject": "x", "text": "y"},
                        **more)

    def tenant(self, name):
        now = datetime.datetime.now(datetime.timezone.utc)
        return self.provider.insert("tenant", id=new_id("ten"), name=name, state="active",
                                    created_at=now, updated_at=now)

    def row(self, job, what="state, attempts, last_error"):
        return self.provider.run(f"SELECT {what} FROM job WHERE id = %s", job)[0]

    def left(self):
        return self.provider.run("SELECT count(*) FROM job WHERE state IN ('queued', 'running')"
                                 " AND kind IN ('domain.check', 'mail.send', 'key.generate')")[0][0]

    def drained(self, seconds=60):
        wait_for(lambda: self.left() == 0, seconds, "all jobs")

    def ended(self, job, state="done", seconds=30):
        wait_for(lambda: self.row(job)[0] in ("done", "dead", "cancelled"), seconds, job)
        assert self.row(job)[0] == state, self.row(job)

    def order(self, jobs):
        """In the order in which they were done."""
        return [i for i, in self.provider.run(
            "SELECT id FROM job WHERE id = ANY(%s::text[]) ORDER BY finished_at, id", jobs)]


@pytest.fixture(scope="module")
def world():
    with Platform(tenantd=False, clock=True) as platform:
        w = World(platform)
        w.configure()
        yield w
        for name in w.names:
            if name in platform.processes:
                w.kill(name)


@pytest.fixture(autouse=True)
def stopped(world):
    world.configure()
    yield
    for name in world.names:
        if name in world.platform.processes:
            world.kill(name)


# Order -------------------------------------------------------------------------------------------------


def test_priorities(world):
    """By priority, then by the time it is due; what is due later waits, however urgent."""
    world.configure(jobs__workers=1)
    now = datetime.datetime.now(datetime.timezone.utc)
    due = [now - datetime.timedelta(seconds=s) for s in (30, 20, 10)]
    jobs = {(p, n): world.idle(priority=p, run_at=at) for n, at in enumerate(due) for p in (9, 5, 0)}
    later = world.idle(priority=0, run_at=now + datetime.timedelta(days=1))
    world.start("tenantd")
    wait_for(lambda: world.left() == 1, 30, "all that are due")
    assert world.order(list(jobs.values())) == [jobs[key] for key in sorted(jobs)]
    assert world.row(later)[:2] == ("queued", 0)
    world.provider.run("UPDATE job SET state = 'cancelled' WHERE id = %s", later)


def test_tenants_in_turn(world):
    """A tenant's flood keeps neither another tenant's jobs waiting nor the platform's."""
    world.configure(jobs__workers=1)
    flood, other = world.tenant("flood"), world.tenant("other")
    many = [world.idle(flood) for _ in range(150)]
    few = [world.idle(other) for _ in range(5)]
    own = [world.idle() for _ in range(5)]
    world.start("tenantd")
    world.drained()
    place = {job: n for n, job in enumerate(world.order(many + few + own))}
    assert max(place[job] for job in few + own) < 20
    assert [place[job] for job in many] == sorted(place[job] for job in many)


def test_a_key_is_done_once_at_a_time(world):
    """Asked for twice at once it is one job; once done it may be asked for again."""
    tenant = world.platform.tenant("twice")
    provider = world.platform.client()
    made = provider.post(f"{tenant.path}/domains", {"name": "once.test", "environment": "seemail"})
    path = f"{tenant.path}/domains/{made['id']}/verification/check"
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(
        tenant.admin.call("POST", path, expect=202).json["job"]["id"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8 and len(set(answers)) == 1
    provider.post(f"/v1/jobs/{answers[0]}/cancel", expect=200)
    world.configure(dns__forwarders="127.0.0.1@1", dns__timeout="200ms")
    world.start("tenantd")
    world.ended(answers[0], "cancelled")
    assert tenant.admin.call("POST", path, expect=202).json["job"]["id"] != answers[0]

    # Nor is one refused that ends while it is asked for.
    answers.clear()
    threads = [threading.Thread(target=lambda: answers.extend(
        tenant.admin.call("POST", path).status for _ in range(150))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) == {202}, {status: answers.count(status) for status in answers}
    tenant.admin.delete(f"{tenant.path}/domains/{made['id']}")


# Failing -----------------------------------------------------------------------------------------------


def test_pauses_double_and_differ(world):
    """Temporary failures are tried again after growing pauses, a quarter more or less, until none is left."""
    world.configure(jobs__retry="400ms", jobs__poll="100ms")
    jobs = [world.mail(max_attempts=4) for _ in range(6)]
    world.start("tenantd")
    for job in jobs:
        world.ended(job, "dead")
        assert world.row(job)[1] == 4 and "127.0.0.1" in world.row(job)[2]
    gaps = []
    for job in jobs:
        at = [datetime.datetime.fromisoformat(e["ts"].replace("Z", "+00:00")).timestamp()
              for name in ("job.retry", "job.dead")
              for e in world.platform.events("tenantd", name) if e["job"] == job]
        assert len(at) == 4
        gaps.append([b - a for a, b in zip(at, at[1:])])
    for n in range(3):
        least = 0.4 * 2 ** n * 0.75
        assert all(least - 0.02 < gap[n] for gap in gaps), gaps
        assert min(gap[n] for gap in gaps) < least * 5 / 3 + 1.5, gaps
    assert max(g[2] for g in gaps) - min(g[2] for g in gaps) > 0.02, gaps


def test_dead_letters(world, tmp_path):
    """A permanent failure is one at once; it is tried again when a person says so, and is then done."""
    world.configure()
    world.start("tenantd")
    provider = world.platform.client()
    with MailServer(world.platform.mail_port, tmp_path) as server:
        server.answer("rcpt", "550 5.7.1 not today", times=1)
        job = world.mail()
        world.ended(job, "dead")
        assert world.row(job)[1] == 1 and "not today" in world.row(job)[2]
        shown = provider.get(f"/v1/jobs/{job}")
        assert (shown["state"], shown["tenant_id"]) == ("dead", None)
        provider.post(f"/v1/jobs/{job}/retry", expect=200)
        world.ended(job)
        assert world.row(job) == ("done", 1, "") and len(server.mails) == 1


def test_cancelled_while_it_waits(world):
    """A worker writes what its kind writes when it is given up: no key stays pending for ever."""
    tenant = world.platform.tenant("cancelled")
    made = tenant.admin.post(f"{tenant.domain_path}/keys", {"algorithm": "rsa-2048", "kind": "token"},
                             expect=202)
    job, key = (f"{tenant.path}/jobs/{made['job']['id']}",
                f"{tenant.domain_path}/keys/{made['key']['id']}")
    assert tenant.admin.post(f"{job}/cancel", expect=200)["cancel"] is True
    world.start("tenantd")
    assert tenant.admin.job(job, "cancelled")["last_error"] == "cancelled before it was done"
    assert tenant.admin.get(key)["state"] == "failed"


def test_a_fault_of_the_resolver_is_said_and_makes_no_flood(world):
    """No trust anchor: the domain's verification says so, and is tried again after its pause."""
    world.configure(dns__trust_anchor="/nowhere/root.key", jobs__poll="100ms")
    tenant = world.platform.tenant("anchorless")
    made = tenant.admin.post(f"{tenant.path}/domains", {"name": "anchor.test",
                                                        "environment": "seemail"})
    path = f"{tenant.path}/domains/{made['id']}"
    world.start("tenantd")
    v = wait_for(lambda: (v := tenant.admin.get(f"{path}/verification"))["checked_at"] and v, 20,
                 "a look")
    assert (v["state"], v["result"], v["dnssec"]) == ("pending", "unavailable", None)
    assert "/nowhere/root.key" in v["last_error"] and v["next_check_at"] > v["checked_at"]
    jobs = tenant.admin.pages(f"{tenant.path}/jobs", kind="domain.check")
    assert [j["state"] for j in jobs] == ["done"]
    tenant.admin.delete(path)


# Leases ------------------------------------------------------------------------------------------------


def hanging(world, server):
    """A job whose first attempt is at work, and hangs."""
    server.answer("mail", HANG, times=1)
    job = world.mail()
    wait_for(lambda: any(line.startswith("MAIL") for line in server.log), 10, "at work")
    return job


def test_longer_than_its_lease(world, tmp_path):
    """Work that takes longer than a lease keeps it: nobody else takes the job."""
    world.configure(jobs__lease="500ms", mail__timeout="4s")
    world.start()
    with MailServer(world.platform.mail_port, tmp_path) as server:
        job = hanging(world, server)
        began, taken = time.monotonic(), set()
        while time.monotonic() - began < 3:
            taken.add(world.row(job, "attempts, worker"))
            time.sleep(0.05)
        assert len(taken) == 1 and {n for n, _ in taken} == {1}
        world.ended(job)
        assert world.row(job)[1] == 2  # the time-out was the first's own


def test_lease_lost_and_worker_back(world, tmp_path):
    """A worker that was away (SIGSTOP) longer than its lease: another does the job; what the first does
    when it wakes up changes nothing any more."""
    # Wherever it was stopped, in the midst of a transaction too: the server ends that one.
    world.configure(jobs__lease="700ms", mail__timeout="20s", database__statement_timeout="2s")
    world.start("tenantd")
    with MailServer(world.platform.mail_port, tmp_path) as server:
        job = hanging(world, server)
        os.kill(world.platform.processes["tenantd"].pid, signal.SIGSTOP)
        try:
            world.start("tenantd-2")
            world.ended(job)
        finally:
            os.kill(world.platform.processes["tenantd"].pid, signal.SIGCONT)
        done = world.row(job, "state, attempts, worker, finished_at")
        assert done[:2] == ("done", 2)
        server.stop()  # the first one's connection breaks: it has failed, and says so to nobody
        wait_for(lambda: any(e["job"] == job for e in
                             world.platform.events("tenantd", "job.not-written")), 30, "the first one")
        assert world.row(job, "state, attempts, worker, finished_at") == done
        assert len(server.mails) == 1


def test_lost_worker(world, tmp_path):
    """kill -9 of the one that is at work: the other takes the job as soon as the lease is over."""
    world.configure(jobs__lease="1500ms", mail__timeout="30s")
    world.start("tenantd")
    with MailServer(world.platform.mail_port, tmp_path) as server:
        job = hanging(world, server)
        world.start("tenantd-2")
        world.kill("tenantd")
        killed = time.monotonic()
        world.ended(job)
        took = time.monotonic() - killed
        print(f"taken over and done {took:.2f} s after the kill, lease 1.5 s")
        assert world.row(job)[1] == 2 and took < 5


# By the clock -----------------------------------------------------------------------------------------


def scheduled(world):
    return world.provider.run("SELECT count(*) FROM job WHERE kind = 'jobs.clean'")[0][0]


def ahead(world, seconds):
    world.platform.clock_set(seconds)


def period(world):
    return world.tenant_session.run("SELECT period FROM job_schedule WHERE kind = 'jobs.clean'")[0][0]


def test_schedules_over_jumps(world):
    """Each period once for two tenantd; a jump of a year makes one job, and so does the way back."""
    world.configure(jobs__keep="3000d")
    world.start()
    try:
        wait_for(lambda: scheduled(world) >= 1, 20, "the first period")
        count, last = scheduled(world), period(world)
        for jump in (HOUR, 2 * HOUR, 365 * DAY, 365 * DAY + HOUR, HOUR):
            ahead(world, jump)
            wait_for(lambda: period(world) != last, 20, f"a period at {jump}")
            last = period(world)
            wait_for(lambda: world.provider.run(
                "SELECT count(*) FROM job WHERE kind = 'jobs.clean' AND state = 'done'")[0][0]
                == count + 1, 20, f"its job at {jump}")
            assert scheduled(world) == count + 1, jump
            count += 1
    finally:
        ahead(world, 0)


def test_cleaning(world):
    """Jobs that ended are seen for as long as is configured; dead ones longer."""
    world.configure(jobs__keep="2d", jobs__keep_dead="5d")
    done, dead = world.idle(), world.job("mail.send", payload={"to": []})
    world.start("tenantd")
    world.ended(done)
    world.ended(dead, "dead")

    def there():
        return {i for i, in world.provider.run("SELECT id FROM job WHERE id IN (%s, %s)", done, dead)}
    try:
        for days, left in ((1, {done, dead}), (3, {dead}), (6, set())):
            last = period(world)
            ahead(world, days * DAY)
            wait_for(lambda: period(world) != last and world.provider.run(
                "SELECT count(*) FROM job WHERE kind = 'jobs.clean' AND state <> 'done'")[0][0] == 0,
                20, f"cleaned after {days} days")
            wait_for(lambda: there() == left, 10, f"what is left after {days} days")
    finally:
        ahead(world, 0)


# Under fire --------------------------------------------------------------------------------------------


class Life:
    """A tenantd from its start to its end."""

    def __init__(self, world, name):
        self.world, self.name = world, name
        log = world.platform.log(name)
        self.begins_at = log.stat().st_size if log.exists() else 0

    def at_work(self):
        """Has it a job, by its own word and by the table's?"""
        with open(self.world.platform.log(self.name), "rb") as log:
            log.seek(self.begins_at)
            lines = log.read().rpartition(b"\n")[0].splitlines()
        begun = [json.loads(line) for line in lines if b'"job.begun"' in line]
        running = self.world.provider.run("SELECT id, attempts FROM job WHERE state = 'running'")
        return any((e["job"], int(e["attempt"])) in running for e in begun)

    def killed_at_work(self, later):
        """Killed so long after it was seen at work, if it is still, or is again. False: there is no work any more."""
        process = self.world.platform.processes[self.name]
        while True:
            wait_for(lambda: self.at_work() or not self.world.left(), 60, f"work of {self.name}", 0.002)
            if not self.world.left():
                return False
            time.sleep(later)
            process.send_signal(signal.SIGSTOP)  # so that it is not done before the kill
            if self.at_work():
                self.world.kill(self.name)
                return True
            process.send_signal(signal.SIGCONT)


def test_two_tenantd_killed_at_random(world, tmp_path, request):
    """200 jobs, keys in the HSM and mails, under 50 kills (--long: 600 and 300). Each is done in the end, each key exists once, none is left on
    the token, and each mail came; once, but for what SMTP allows after a lost reply."""
    jobs, most = (600, 300) if request.config.getoption("--long") else (200, 50)
    world.configure(jobs__lease="700ms", jobs__poll="100ms", jobs__retry="50ms", log__level="debug")
    tenant = world.platform.tenant("under-fire")
    keys = [tenant.admin.post(f"{tenant.domain_path}/keys", {
        "algorithm": "ec-p256", "kind": "token" if n % 2 else "wrapped"}, expect=202)
        for n in range(jobs // 10)]
    world.tenant_session.run("UPDATE job SET max_attempts = 1000 WHERE state = 'queued'")
    dice = random.Random(20261125)
    with MailServer(world.platform.mail_port, tmp_path) as server:
        mails = [world.mail(tenant.id, max_attempts=1000) for _ in range(jobs - len(keys))]
        began, struck = time.monotonic(), 0
        lives = {name: Life(world, name) for name in world.names}
        world.start()
        while struck < most and (name := dice.choice(world.names)):
            if not lives[name].killed_at_work(dice.uniform(0, 0.1)):
                break
            struck += 1
            lives[name] = Life(world, name)
            world.platform.tenantd_start(name)
        world.drained(120)
        seconds = time.monotonic() - began
        ids = [m.head.partition(b"Message-ID: <")[2].partition(b"@")[0].decode() for m in server.mails]
    twice = len(ids) - len(set(ids))
    print(f"{jobs} jobs, {struck} kills with work in flight: {seconds:.1f} s; {twice} mails sent twice")
    assert struck >= 5
    assert set(ids) == set(mails) and twice <= struck
    states = world.provider.run("SELECT state, count(*) FROM job WHERE tenant_id = %s GROUP BY 1",
                                tenant.id)
    assert states == [("done", jobs)]
    rows = world.provider.run("SELECT id, state, spki FROM hsm_key WHERE tenant_id = %s", tenant.id)
    assert {i for i, _, _ in rows} == {k["key"]["id"] for k in keys}
    assert {s for _, s, _ in rows} == {"active"} and len({bytes(p) for _, _, p in rows}) == len(keys)
    made = [e for e in tenant.admin.pages(f"{tenant.path}/audit") if e["object"] == "hsm_key"
            and e["action"] == "update" and e["before"]["state"] == "pending"]
    assert len(made) == len(keys)  # each became active once
    labels = world.platform.run(world.platform.program("hsmctl"), "-c", world.platform.dir / "hsmd.conf",
                                "list")
    assert labels.count(f"dca/{tenant.id}/{tenant.domain['id']}") == len(keys) // 2
