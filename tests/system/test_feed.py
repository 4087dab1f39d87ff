"""What PostgreSQL does not take of the journal holds up no other record, and mail least of all (REQ-117)."""
import contextlib
import datetime
import json
import shutil
import tempfile

import pytest

from sealgate import hsm
from sealgate.ops import Ops
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, OUTSIDE, Setting, simple

YEAR = 365 * 86400
SET_ASIDE = "sealgate_gateway_journal_set_aside_records_total"


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgd", dir="/var/tmp") as folder:
        s = Setting(folder, block, clock=True)
        try:
            yield s.start()
        finally:
            s.stop()


def mail(s, name, sender="joe"):
    s.from_outside(f"{sender}@{OUTSIDE}", [f"ann@{A}"], simple(f"{sender}@{OUTSIDE}", [f"ann@{A}"], name))
    s.arrived(A, name)


def rows(s, name):
    """When it was received and what became of it, by the retention log: once for each row of it."""
    return s.platform.postgresql.rows(f"SELECT date_part('year', m.received_at), r.outcome FROM message m "
                                      f"LEFT JOIN message_recipient r ON r.msg_id = m.id WHERE m.message_id = '{name}@x.test'")


def recorded(s, *names):
    wait_for(lambda: all([outcome for _, outcome in rows(s, name)] == ["delivered"] for name in names), 30,
             f"the records of {', '.join(names)}")


def again(platform):
    """What it cannot hand on does not keep it from being ready."""
    platform.gatewayd.stop()
    platform.gatewayd.start()
    wait_for(lambda: Ops(platform.layout.ops("gatewayd")).ready()[0] == 200, 30, "gatewayd")


def test_while_the_clock_was_wrong(setting):
    """A machine whose clock is ahead writes records of months that nobody has made a table for."""
    platform = setting.platform
    platform.tenantd.stop()  # it makes tables for the months around its own time
    try:
        for name, years in (("next-year", 1), ("the-one-after", 2)):
            platform.clock_set(years * YEAR)
            mail(setting, name)
        platform.clock_set(0)
        mail(setting, "in-time")
        recorded(setting, "next-year", "in-time", "the-one-after")
        now = datetime.date.today().year
        years = [float(rows(setting, name)[0][0]) - now for name in ("next-year", "in-time", "the-one-after")]
        assert years == [1, 0, 2]
        assert "set-aside" not in platform.gatewayd.log.read_text()
    finally:
        platform.clock_set(0)
        platform.tenantd.start()


@contextlib.contextmanager
def away(platform):
    """PostgreSQL takes no message for now."""
    platform.postgresql.psql(
        "SET search_path = sealgate; CREATE FUNCTION away() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RAISE EXCEPTION USING ERRCODE = ''insufficient_resources''; END'; "
        "CREATE TRIGGER away BEFORE INSERT ON message FOR EACH STATEMENT EXECUTE FUNCTION away()")
    try:
        yield
    finally:
        platform.postgresql.psql("DROP FUNCTION sealgate.away CASCADE")


def test_discarded_before_a_month_that_has_no_tables(setting):
    """REQ-76: its entry in the audit log is of the time at which it is made, the records of the month before."""
    platform, policy = setting.platform, f"{setting.a.domain_path}/policy"
    before = platform.api.get(policy)["settings"]
    platform.api.put(policy, {**before, "unverified_action": "delete"})
    platform.tenantd.stop()
    try:
        with away(platform):
            setting.from_outside(f"eve@{A}", [f"ann@{A}"], simple(f"eve@{A}", [f"ann@{A}"], "discarded"))
            wait_for(lambda: setting.platform.postfix_in.queue() == [], 30, "the mail to be discarded")
            platform.clock_set(3 * YEAR)
        # Nothing that comes behind it, and makes the month, is waited for.
        wait_for(lambda: [outcome for _, outcome in rows(setting, "discarded")] == ["discarded"], 30, "its record")
        assert "set-aside" not in platform.gatewayd.log.read_text()
        ((year,),) = platform.postgresql.rows("SELECT date_part('year', at) FROM sealgate.audit WHERE object = 'message'")
        assert float(year) == (datetime.datetime.utcnow() + datetime.timedelta(seconds=3 * YEAR)).year
    finally:
        platform.clock_set(0)
        platform.tenantd.start()
        platform.api.put(policy, before)


@contextlib.contextmanager
def refusing(platform, sender):
    platform.postgresql.psql(f"ALTER TABLE sealgate.message ADD CONSTRAINT never CHECK (sender <> '{sender}@{OUTSIDE}') NOT VALID")
    try:
        yield
    finally:
        platform.postgresql.psql("ALTER TABLE sealgate.message DROP CONSTRAINT never")


def test_what_is_never_taken(setting):
    platform = setting.platform
    ops = Ops(platform.layout.ops("gatewayd"))
    with refusing(platform, "never"):
        names = [f"taken-{n}" for n in range(4)]
        mail(setting, names[0])
        mail(setting, "never", sender="never")
        for name in names[1:]:
            mail(setting, name)
        recorded(setting, *names)
        assert rows(setting, "never") == []
        wait_for(lambda: ops.series()[SET_ASIDE] == 1, 10, "its count")
        again(platform)
        wait_for(lambda: ops.series()[SET_ASIDE] == 1, 30, "its count")
        assert rows(setting, "never") == []
    again(platform)
    recorded(setting, "never", *names)
    assert ops.series()[SET_ASIDE] == 0


def test_killed_while_some_are_set_aside(setting):
    """kill -9 at any point of it: what was set aside is known, and comes once."""
    platform = setting.platform
    names = []
    with refusing(platform, "odd"):
        for turn in range(4):
            for n in range(6):
                names.append(f"turn-{turn}-{n}")
                mail(setting, names[-1], sender="odd" if n % 3 == 1 else "joe")
            platform.gatewayd.kill()
            platform.gatewayd.start()
        wait_for(lambda: len([name for name in names if rows(setting, name)]) == 16, 30, "the others' records")
    again(platform)
    recorded(setting, *names)


@contextlib.contextmanager
def failing(platform, recipient):
    """A query fails for whatever names that recipient, in a way that does not say that it is for good."""
    platform.postgresql.psql(
        "SET search_path = sealgate; CREATE FUNCTION failing() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RAISE EXCEPTION USING ERRCODE = ''raise_exception''; END'; "
        "CREATE TRIGGER failing BEFORE INSERT ON message_recipient FOR EACH ROW "
        f"WHEN (NEW.recipient = '{recipient}') EXECUTE FUNCTION failing()")
    try:
        yield
    finally:
        platform.postgresql.psql("DROP FUNCTION sealgate.failing CASCADE")


@pytest.mark.long  # tests/unit/journal/test_journal_odd.c has it of the feeder alone
def test_many_in_a_row_for_which_a_query_fails(setting):
    """At a start, where nothing that was taken is known and all mail waits for the feed."""
    platform = setting.platform
    ops = Ops(platform.layout.ops("gatewayd"))
    mail(setting, "before-many")
    recorded(setting, "before-many")
    assert ops.series()[SET_ASIDE] == 0
    odd = [f"many-{n}" for n in range(10)]
    with failing(platform, f"odd@{A}"):
        for name in odd:
            setting.from_outside(f"joe@{OUTSIDE}", [f"odd@{A}"], simple(f"joe@{OUTSIDE}", [f"odd@{A}"], name))
            setting.arrived(A, name)
        platform.gatewayd.stop()
        platform.gatewayd.start()
        wait_for(lambda: ops.ready()[0] == 200, 120, "what cannot be fed to be set aside")
        mail(setting, "behind-many")
        recorded(setting, "behind-many")
        assert ops.series()[SET_ASIDE] == 2 * len(odd)
        assert not [name for name in odd if rows(setting, name)]
    again(platform)
    recorded(setting, *odd)
    assert ops.series()[SET_ASIDE] == 0


def hsmd_with(platform, tokens):
    """hsmd with the token as it was at another time."""
    platform.hsmd.stop()
    shutil.rmtree(platform.layout.hsm / "tokens")
    shutil.copytree(tokens, platform.layout.hsm / "tokens", copy_function=shutil.copy2)
    for path in [platform.layout.hsm / "tokens", *(platform.layout.hsm / "tokens").rglob("*")]:
        shutil.chown(path, hsm.HSM, hsm.GROUP)
    platform.hsmd.start()


def test_a_segment_whose_key_is_gone(setting, tmp_path):
    """docs/operations/bad-day.md: the token came back from a copy without its newest key-encryption key. All mail waits
    until an operator gives the segment up; its records come when the key is there again."""
    platform, gatewayd = setting.platform, setting.platform.gatewayd
    ops, journal = Ops(platform.layout.ops("gatewayd")), platform.layout.archive / "journal"
    tokens, older, newer = platform.layout.hsm / "tokens", tmp_path / "older", tmp_path / "newer"
    gatewayd.stop()
    platform.hsmd.stop()
    shutil.copytree(tokens, older)
    hsm.ctl(platform.layout, "kek-make")
    shutil.copytree(tokens, newer)
    platform.hsmd.start()
    gatewayd.start()
    with away(platform):
        mail(setting, "keyless")
        gatewayd.stop()
    hsmd_with(platform, older)
    since = len(gatewayd.log.read_text())
    gatewayd.start()

    def waits():
        return [line for line in map(json.loads, gatewayd.log.read_text()[since:].splitlines()) if line["event"] == "journal.not-read"]
    wait_for(lambda: len(waits()) >= 3, 30, "the segment to be refused")
    assert ops.ready()[0] == 503 and ops.series()[SET_ASIDE] == 0
    number = waits()[-1]["segment"]
    (journal / f"{int(number):016}.give-up").touch()
    wait_for(lambda: ops.ready()[0] == 200, 30, "the replay")
    mail(setting, "beside-keyless")
    recorded(setting, "beside-keyless")
    assert rows(setting, "keyless") == []
    wait_for(lambda: ops.series()[SET_ASIDE] == 2, 30, "its records to be set aside")
    assert '"journal.given-up"' in gatewayd.log.read_text()[since:]

    gatewayd.stop()
    hsmd_with(platform, newer)
    gatewayd.start()
    recorded(setting, "keyless")
    wait_for(lambda: ops.series()[SET_ASIDE] == 0, 30, "none to be set aside")


def test_renamed_before_it_was_fed(setting):
    """What a node received under its old name is recorded as that one's: its original is found by it."""
    platform, gatewayd = setting.platform, setting.platform.gatewayd
    conf = platform.layout.etc / "gatewayd.conf"
    before = conf.read_text()
    with away(platform):
        mail(setting, "old-name")
        gatewayd.stop()
    conf.write_text(before.replace("node = gw1\n", "node = gw1-renamed\n"))
    try:
        gatewayd.start()
        wait_for(lambda: Ops(platform.layout.ops("gatewayd")).ready()[0] == 200, 30, "gatewayd")
        mail(setting, "new-name")
        recorded(setting, "old-name", "new-name")
        places = platform.postgresql.rows("SELECT message_id, node, split_part(archive_ref, '/', 1) FROM sealgate.message "
                                          "WHERE message_id LIKE '%-name@x.test' ORDER BY message_id DESC")
        assert places == [["old-name@x.test", "gw1", "gw1"], ["new-name@x.test", "gw1-renamed", "gw1-renamed"]]
    finally:
        gatewayd.stop()
        conf.write_text(before)
        gatewayd.start()
