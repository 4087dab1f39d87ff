"""Five and a half years of renewals with the clock moved, against the reference CA: REQ-160 REQ-161
REQ-189. The certificates never have a gap, no key is too old, and old keys end when their time is over."""
import datetime
import tempfile
import time

import pytest

from sealgate import PortBlock
from sealgate.process import wait_for
from test_certlife import DAY, FAST, Life, cka_id, pem_of

STEP, YEARS = 20, 5.75


@pytest.fixture(scope="module")
def life():
    with tempfile.TemporaryDirectory(prefix="sgy", dir="/var/tmp") as folder, PortBlock() as block:
        site = Life(folder, block.base)
        site.platform.settings = {"tenantd": {**FAST["tenantd"], "keys.destroy": "yes",
                                              "keys.destroy_after": "30d"}}
        try:
            yield site.start()
        finally:
            site.stop()


def text_time(value):
    return datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))


def months_after(day, months):
    index = day.year * 12 + day.month - 1 + months
    return day.replace(year=index // 12, month=index % 12 + 1, day=min(day.day, 28))


def swept(life, at):
    """The sweep of that time has been, and what it asked for is done."""
    since = at.strftime("%Y-%m-%d %H:%M:%S+00")
    wait_for(lambda: life.sql(
        "SELECT (SELECT count(*) > 0 FROM job WHERE kind = 'certificate.sweep' AND state = 'done'"
        f" AND created_at >= '{since}'), (SELECT count(*) FROM job WHERE"
        " (kind LIKE 'certificate%' OR kind = 'key.destroy') AND state IN ('queued', 'running'))"
    ) == [["t", "0"]], 60, f"the sweep of {since}", 0.05)


def test_years(life):
    names = ["one.test", "two.test", "three.test"]
    token = life.new_authority(name="Token keys", key_kind="token")
    sites = [life.domain(name, token) for name in names]
    for site in sites:
        life.order(site, "installed")
    began, start = time.monotonic(), datetime.datetime.now(datetime.timezone.utc)
    renewed = {name: [] for name in names}
    for day in range(STEP, int(YEARS * 365), STEP):
        now = start + datetime.timedelta(days=day)
        life.clock(day * DAY)
        swept(life, now)
        for site in sites:
            active = life.active(site)
            assert text_time(active["not_before"]) <= now + datetime.timedelta(hours=1)
            assert text_time(active["not_after"]) > now + datetime.timedelta(days=5), (day, active)
            if active["id"] not in renewed[site.domain_name]:
                renewed[site.domain_name].append(active["id"])
    print(f"{YEARS} years of {len(names)} domains: {time.monotonic() - began:.1f} s; "
          f"certificates {[len(r) for r in renewed.values()]}")
    leads = set()
    for site in sites:
        keys = {k["id"]: k for k in life.api.list(f"{site.domain_path}/keys")}
        rows = life.certificates(site)
        assert len(rows) == len(life.refca.issued(site.domain_name)) == len(
            renewed[site.domain_name])
        assert sum(c["state"] == "active" for c in rows) == 1
        for certificate in rows:
            leaf = pem_of(certificate)[0]
            made = text_time(keys[certificate["key_id"]]["created_at"])
            begin, end = text_time(certificate["not_before"]), text_time(certificate["not_after"])
            assert end <= months_after(begin, 13) + datetime.timedelta(days=3)
            assert end <= months_after(made, 60) + datetime.timedelta(days=3), "REQ-161"
            assert begin <= months_after(made, 48) + datetime.timedelta(days=3), "REQ-161"
            assert leaf.serial_number == int(certificate["serial"], 16)
        reasons = [o["reason"] for o in life.orders(site)]
        assert reasons[0] == "initial" and set(reasons[1:]) == {"renewal", "rekey"}, reasons
        assert 1 <= reasons.count("rekey") <= 2 and len(keys) == 1 + reasons.count("rekey")
        # Each is cut over before the one before has ended, and that decrypts until its end.
        ordered = sorted(rows, key=lambda c: c["not_before"])
        for before, after in zip(ordered, ordered[1:]):
            overlap = text_time(before["not_after"]) - text_time(after["not_before"])
            assert datetime.timedelta(days=9) <= overlap <= datetime.timedelta(days=38), overlap
        leads.add(text_time(rows[0]["not_after"]) - text_time(rows[0]["renew_at"]))
        # The first key's time is over: retired, and destroyed because it is configured here.
        first = min(keys.values(), key=lambda k: k["created_at"])
        assert first["state"] == "destroyed", first
        last_use = max(text_time(c["not_after"]) for c in rows if c["key_id"] == first["id"])
        assert text_time(first["updated_at"]) >= last_use + datetime.timedelta(days=90 + 30)
        assert cka_id(first["id"]) not in life.token_keys()
        assert all(cka_id(k) in life.token_keys() for k, row in keys.items()
                   if row["state"] == "active")
    assert len(leads) == len(names)  # jitter: each at its own time


def test_an_authority_that_is_away_for_weeks(life):
    """A certificate that is not renewed in time is a critical incident a week before its end; and is
    renewed when the authority is back."""
    site = next(life.platform.organisation(n, n) for n in ["one.test"])
    site.tenant = life.api.find("/v1/tenants", name="one")
    site.domain = life.api.find(f"{site.path}/domains", name="one.test")
    active = life.active(site)
    life.refca.fault("down")
    end = text_time(active["not_after"])
    start = datetime.datetime.now(datetime.timezone.utc)
    life.clock((end - start).total_seconds() - 10 * DAY)
    life.order(site, "enrol", cause="unreachable", timeout=90)
    assert not life.api.list("/v1/incidents", kind="certificate.expiring", state="open")
    life.clock((end - start).total_seconds() - 3 * DAY)
    incident = life.incident("certificate.expiring", domain_id=site.domain["id"])
    assert incident["severity"] == "critical"
    life.refca.fault()
    life.order(site, "installed", timeout=90)
    life.incident("certificate.expiring", "resolved", site.domain["id"])
    wait_for(lambda: text_time(life.active(site)["not_after"]) > end, 60, "the cut-over")
