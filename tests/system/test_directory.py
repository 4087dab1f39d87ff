"""Lists of members out of real directories (slapd), through tenantd's job and the REST API.

REQ-55 REQ-108 REQ-190 REQ-191
"""
import time

import pytest

from apienv import Platform
from sealgate.process import wait_for
from slapd import Slapd

LISTS = {"SEEMAIL2": "seemail", "SECUREMAIL1": "securemail", "WORKSPACE": "workspace",
         "SEEMAIL2TEST": "seemail-test", "SECUREMAIL1TEST": "securemail-test"}
TIMEOUT = 1  # s, of one operation of a directory


class World(Platform):
    """apid and tenantd with a directory that may be asked; tenantd reads by demand alone."""

    def __init__(self, **settings):
        super().__init__(hsm=False)
        self.sync_settings = {"interval": "12h", "timeout": f"{TIMEOUT}s", "retry": "10s", **settings}

    def configure(self, **http):
        super().configure(**http)
        path = self.dir / "tenantd.conf"
        path.write_text(path.read_text() + "[jobs]\nretry = 100ms\nlease = 2s\n"
                        + f"[authorities]\ncredentials_dir = {self.dir}\n[directory]\n"
                        + "".join(f"{k} = {v}\n" for k, v in self.sync_settings.items()))

    def __enter__(self):
        super().__enter__()
        self.api = self.client()
        return self

    def use(self, *directories, **more):
        """These and no others, in this order; waits until they were read for the first time."""
        for row in self.api.pages("/v1/directory-sources"):
            self.api.delete(f"/v1/directory-sources/{row['id']}")
        for position, directory in enumerate(directories):
            self.api.post("/v1/directory-sources", {
                "url": directory if isinstance(directory, str) else directory.url,
                "position": position, **more})
        self.quiet()

    def quiet(self):
        """Nothing is queued or running any more."""
        wait_for(lambda: all(job["state"] not in ("queued", "running")
                             for job in self.api.pages("/v1/jobs", kind="directory.sync")), 60,
                 "the jobs")

    def sync(self, state="done"):
        """One reading, and not one that is under way already; its result."""
        self.quiet()
        reply = self.api.call("POST", "/v1/lists/sync", expect=202)
        return self.api.job(reply.headers["Location"], state)["result"]

    def list(self, name="SEEMAIL2"):
        def look():
            row, = [row for row in self.api.get("/v1/lists")["data"] if row["name"] == name]
            return row

        # A reading may come between two looks: they are compared where it stood still.
        before, after = None, look()
        while before != after:
            before, alone = after, self.api.get(f"/v1/lists/{after['id']}")
            after = look()
        assert alone == after
        return after

    def members(self, name="SEEMAIL2", **query):
        query = {"source": "directory", **query}
        return sorted(row["name"] for row in
                      self.api.pages("/v1/member-domains", environment=LISTS[name], limit=500,
                                     **query))

    def source(self, directory):
        row, = [row for row in self.api.pages("/v1/directory-sources")
                if row["url"] == (directory if isinstance(directory, str) else directory.url)]
        return row["reading"]

    def incidents(self, state="open"):
        return [row for row in self.api.pages("/v1/incidents", kind="directory.shrunk")
                if row["state"] == state]


def names(count, word="m"):
    return [f"{word}{i:05}.test" for i in range(count)]


def result_of(result, name="SEEMAIL2"):
    row, = [row for row in result["lists"] if row["name"] == name]
    return row


@pytest.fixture(scope="module")
def directory():
    with Slapd() as slapd:
        yield slapd


@pytest.fixture(scope="module")
def world(directory):
    with World() as w:
        yield w


@pytest.fixture(autouse=True)
def fresh(request):
    """Each test begins with lists of its own: nothing in force, nothing waiting, no directory that hangs since a
    test before it failed."""
    if "world" not in request.fixturenames:
        return
    world, directory = (request.getfixturevalue(n) for n in ("world", "directory"))
    directory.go_on()
    world.use()
    world.quiet()
    world.pg.psql("-c", "SET search_path = sealgate; SET app.actor = 'test';"
                  " SELECT set_config('app.now', now()::text, false);"
                  " DELETE FROM list_change; DELETE FROM member_domain;"
                  " UPDATE member_list SET version = '', members = 0, read_at = NULL,"
                  " last_error = ''; UPDATE incident SET state = 'resolved', resolved_at = now(),"
                  " resolved_by = 'test', resolution = 'test' WHERE state <> 'resolved'",
                  database="sealgate")
    for name in LISTS:
        directory.remove(name)


def test_members_come_and_go_with_the_version(world, directory):
    for name in LISTS:
        directory.put(name, [f"{name.lower()}.test", f"both-{LISTS[name]}.test"],
                      version=f"{name} version 7")
    world.use(directory)
    for name, environment in LISTS.items():
        row = world.list(name)
        assert row["environment"] == environment and row["members"] == 2
        assert row["version"] == row["reading"]["version"] == f"{name} version 7"
        assert row["reading"]["source"] == directory.url and row["reading"]["last_error"] == ""
        assert row["reading"]["next_at"] > row["reading"]["succeeded_at"] > "2026"
        assert world.members(name) == sorted([f"{name.lower()}.test", f"both-{environment}.test"])
    directory.change("SEEMAIL2", add=["new.test"], delete=["seemail2.test"])
    row = result_of(world.sync())
    assert (row["state"], row["added"], row["removed"]) == ("changed", 1, 1)
    assert world.members() == ["both-seemail.test", "new.test"]
    change = world.api.pages("/v1/list-changes", list_id=world.list()["id"])[-1]
    assert change["state"] == "applied" and change["reason"] == "" and change["decided_by"] == ""
    full = world.api.get(f"/v1/list-changes/{change['id']}")
    assert full["added"] == ["new.test"] and full["removed"] == ["seemail2.test"]
    assert result_of(world.sync())["state"] == "unchanged"
    assert world.source(directory)["failures"] == 0
    # Without a version of its own, it is when the entry was changed.
    directory.put("SEEMAIL2", ["both-seemail.test", "new.test"])
    world.sync()
    assert world.list()["version"].startswith("20") and world.list()["version"].endswith("Z")


def test_what_was_set_by_hand_stays(world, directory):
    mine = world.api.post("/v1/member-domains", {"name": "mine.test", "environment": "seemail"})
    assert mine["source"] == "manual"
    world.api.post("/v1/member-domains", {"name": "both.test", "environment": "seemail"})
    directory.put("SEEMAIL2", ["both.test", "theirs.test", "third.test"])
    world.use(directory)
    assert world.members() == ["both.test", "theirs.test", "third.test"]
    assert world.members(source="manual") == ["both.test", "mine.test"]
    row, = world.api.pages("/v1/member-domains", name="theirs.test")
    reply = world.api.call("DELETE", f"/v1/member-domains/{row['id']}", expect=409)
    assert "directory" in reply.json["detail"]
    directory.change("SEEMAIL2", delete=["both.test"])
    world.sync()
    assert world.members() == ["theirs.test", "third.test"]
    assert world.members(source="manual") == ["both.test", "mine.test"]
    world.api.delete(f"/v1/member-domains/{mine['id']}")
    # Of what is set by hand each row is in the audit log; of a list, the change.
    audit = world.pg.psql("-c", "SELECT DISTINCT object, action, after->>'name' FROM sealgate.audit"
                          " WHERE object IN ('member_domain', 'list_change')",
                          database="sealgate")
    assert "list_change|insert|" in audit and "member_domain|insert|mine.test" in audit
    assert "theirs.test" not in audit


def test_ten_thousand_members(world, directory):
    domains = names(10000)
    directory.put("SEEMAIL2", domains, version="big")
    listener = world.pg.connect("sg_gateway")
    listener.autocommit = True
    listener.cursor().execute("LISTEN sealgate_config")
    world.use()
    world.use(directory)
    assert world.members() == domains
    listener.poll()
    said = [n.payload for n in listener.notifies]
    assert said.count("member_domain") == 1  # once, not ten thousand times
    begun = time.monotonic()
    assert result_of(world.sync())["state"] == "unchanged"
    unchanged = time.monotonic() - begun
    directory.change("SEEMAIL2", add=["one-more.test"])
    begun = time.monotonic()
    assert result_of(world.sync())["added"] == 1
    print(f"10,000 members: read again {unchanged:.2f} s, one more {time.monotonic() - begun:.2f} s")
    assert unchanged < 20


def test_more_members_than_allowed_are_not_taken(directory):
    with World(max_members="5") as w:
        directory.put("SEEMAIL2", names(5))
        directory.put("SECUREMAIL1", names(6))
        w.use(directory)
        assert w.members() == names(5)
        row = w.list("SECUREMAIL1")
        assert row["members"] == 0 and "more than 5 members" in row["reading"]["last_error"]
        directory.put("SECUREMAIL1", names(40))  # more than values are kept for
        w.sync()
        assert "more than 5 members" in w.list("SECUREMAIL1")["reading"]["last_error"]


def test_garbage_is_skipped_and_counted(world, directory):
    directory.put("SEEMAIL2", ["good.test", "UPPER.test"], version="\x7f" * 3,
                  raw=["joe@good.test", "*@*.test", "*@test", "plain", "*@bad_.test"])
    world.use(directory)
    row = world.list()
    assert world.members() == ["good.test", "upper.test"]
    assert row["reading"]["skipped"] == 5 and row["members"] == 2


def test_a_list_that_shrinks_waits(world, directory):
    domains = names(50)
    directory.put("SEEMAIL2", domains)
    world.use(directory)
    directory.put("SEEMAIL2", [*domains[:45], "late.test"])  # 5 of 50 may go
    assert result_of(world.sync())["state"] == "changed"
    directory.put("SEEMAIL2", [*domains[:39], "late.test"], version="short")
    row = result_of(world.sync())
    assert row["state"] == "waiting" and row["removed"] == 6
    assert len(world.members()) == 46  # nothing changed
    state = world.list()
    change = world.api.get(f"/v1/list-changes/{state['pending_change_id']}")
    assert change["state"] == "pending" and change["reason"] == "shrunk"
    assert change["removed"] == domains[39:45] and change["added"] == []
    assert state["reading"]["members"] == 40 and state["members"] == 46
    incident, = world.incidents()
    assert incident["detail"]["list_change_id"] == change["id"]
    # Asked once, however often it is read.
    assert result_of(world.sync())["state"] == "waiting"
    assert world.list()["pending_change_id"] == change["id"]
    assert world.incidents()[0]["occurrences"] == 1
    approved = world.api.call("POST", f"/v1/list-changes/{change['id']}/approve", expect=200).json
    assert approved["state"] == "applied" and approved["decided_by"].startswith("token:")
    assert world.members() == sorted([*domains[:39], "late.test"])
    assert world.list()["version"] == "short" and world.list()["pending_change_id"] is None
    assert world.incidents() == [] and change["id"] in world.incidents("resolved")[0]["resolution"]
    again = world.api.call("POST", f"/v1/list-changes/{change['id']}/refuse", expect=409)
    assert "decision" in again.json["detail"]
    audit = world.pg.psql("-c", "SELECT actor FROM sealgate.audit WHERE object = 'list_change'"
                          f" AND object_id = '{change['id']}' AND action = 'update'",
                          database="sealgate")
    assert audit.startswith("token:")


def test_an_older_list_waits(world, directory):
    """A replica that lags must not take out who has just joined: mail to them would go in the clear."""
    directory.put("SEEMAIL2", ["a.test", "b.test"], version="10")
    world.use(directory)
    directory.put("SEEMAIL2", ["a.test"], version="9")  # one may go, but not to an older version
    assert result_of(world.sync())["state"] == "waiting"
    assert world.members() == ["a.test", "b.test"] and world.list()["version"] == "10"
    incident, = world.api.pages("/v1/incidents", kind="directory.older", state="open")
    assert "version 9 after version 10" in incident["summary"]
    directory.put("SEEMAIL2", ["a.test", "b.test", "c.test"], version="11")
    assert result_of(world.sync())["state"] == "changed"
    assert world.members() == ["a.test", "b.test", "c.test"]
    assert world.api.pages("/v1/incidents", kind="directory.older", state="open") == []


def test_a_list_that_was_emptied_is_refused(world, directory):
    directory.put("SEEMAIL2", ["a.test", "b.test"])
    world.use(directory)
    directory.put("SEEMAIL2", [])
    assert result_of(world.sync())["state"] == "waiting"
    pending = world.list()["pending_change_id"]
    refused = world.api.call("POST", f"/v1/list-changes/{pending}/refuse", expect=200).json
    assert refused["state"] == "refused" and refused["reason"] == "emptied"
    assert result_of(world.sync())["state"] == "refused"  # and is not asked again
    assert world.members() == ["a.test", "b.test"] and world.incidents() == []
    directory.remove("SEEMAIL2")  # gone as a whole is as bad: the same question, the same answer
    assert result_of(world.sync())["state"] == "refused"
    directory.put("SEEMAIL2", ["a.test", "b.test", "c.test"])
    assert result_of(world.sync())["state"] == "changed"


def test_a_list_that_comes_back_is_no_question_any_more(world, directory):
    directory.put("SEEMAIL2", names(4))
    world.use(directory)
    directory.remove("SEEMAIL2")
    world.sync()
    pending = world.list()["pending_change_id"]
    assert world.api.get(f"/v1/list-changes/{pending}")["reason"] == "emptied"
    directory.put("SEEMAIL2", names(4))
    world.sync()
    assert world.list()["pending_change_id"] is None and world.incidents() == []
    assert world.api.get(f"/v1/list-changes/{pending}")["state"] == "superseded"
    assert [c["id"] for c in world.api.pages("/v1/list-changes", state="superseded")] == [pending]


def test_every_change_waits_where_that_is_wanted(directory):
    """REQ-55: classification with approval."""
    with World(classification="approval") as w:
        directory.put("SEEMAIL2", ["a.test"])
        w.use(directory)
        assert w.members() == [] and w.incidents() == []
        change = w.api.get(f"/v1/list-changes/{w.list()['pending_change_id']}")
        assert change["reason"] == "approval" and change["added"] == ["a.test"]
        w.api.call("POST", f"/v1/list-changes/{change['id']}/approve", expect=200)
        assert w.members() == ["a.test"]


def test_a_hung_directory_takes_its_time_and_no_more(world, directory):
    directory.put("SEEMAIL2", ["a.test"])
    world.use(directory)
    directory.hang()
    try:
        for url in (directory.url, directory.ldaps_url):
            if url != directory.url:
                world.api.post("/v1/directory-sources", {"url": url, "position": 7,
                                                         "ca_pem": directory.ca_pem})
            begun = time.monotonic()
            failed = wait_for(lambda u=url: world.source(u)["failures"] > 0 and world.source(u), 30,
                              "the failure") if url != directory.url else None
            if url == directory.url:
                reply = world.api.call("POST", "/v1/lists/sync", expect=202)
                job = wait_for(lambda: (j := world.api.get(reply.headers["Location"]))["attempts"]
                               and j["last_error"] and j, 30, "an attempt")
                assert "no directory answered" in job["last_error"] and url in job["last_error"]
                failed = world.source(url)
            assert time.monotonic() - begun < 12 * TIMEOUT
            assert failed["retry_at"] > failed["failed_at"] and failed["last_error"]
        assert world.members() == ["a.test"]
        assert world.list()["reading"]["last_error"]
    finally:
        directory.go_on()
    # The job goes on trying by itself, and all is well.
    wait_for(lambda: world.list()["reading"]["last_error"] == "", 60, "the directory's return")
    world.quiet()
    # By the other one, perhaps: this one is asked when the time of its next try has come.
    wait_for(lambda: world.sync() and world.source(directory)["last_error"] == "", 60, "the directory that had hung")


def test_the_second_directory_serves_while_the_first_is_away(world, directory):
    with Slapd() as second:
        for one in (directory, second):
            one.put("SEEMAIL2", ["a.test"])
        directory.put("WORKSPACE", ["list.test"])
        world.use(second, directory)
        assert world.list()["reading"]["source"] == second.url
        # What the first lacks is asked of the next.
        assert world.list("WORKSPACE")["reading"]["source"] == directory.url
        second.hang()
        directory.change("SEEMAIL2", add=["b.test"])
        result = world.sync()
        assert result_of(result)["state"] == "changed" and world.members() == ["a.test", "b.test"]
        assert [s["ok"] for s in result["sources"]] == [False, True]
        assert world.source(second)["failures"] == 1
        begun = time.monotonic()
        assert [s["ok"] for s in world.sync()["sources"]] == [True]  # not asked …
        assert time.monotonic() - begun < TIMEOUT + 2
        second.go_on()
        directory.hang()
        result = world.sync()  # … but where no other answers
        assert [s["ok"] for s in result["sources"]] == [True, False]
        assert result_of(result, "SEEMAIL2TEST")["state"] == "failed"
        directory.go_on()
        assert world.members() == ["a.test"]


def test_a_list_that_one_directory_lacks_while_another_is_away_is_not_gone(world, directory):
    with Slapd() as second:
        directory.put("SEEMAIL2", ["a.test"])
        world.use(directory, second)
        assert world.members() == ["a.test"]
        directory.hang()
        assert result_of(world.sync())["state"] == "failed"
        assert world.members() == ["a.test"] and world.list()["pending_change_id"] is None
        directory.go_on()


def test_a_directory_with_another_ca_is_not_believed(world, directory):
    directory.put("SEEMAIL2", ["a.test"])
    with Slapd() as other:
        world.api.post("/v1/directory-sources", {"url": directory.ldaps_url,
                                                 "ca_pem": other.ca_pem})
        failed = wait_for(lambda: world.source(directory.ldaps_url)["failures"]
                          and world.source(directory.ldaps_url), 30, "the failure")
        assert failed["last_error"] and world.members() == []
    world.use(directory.ldaps_url, ca_pem=directory.ca_pem)
    assert world.members() == ["a.test"]


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
def test_a_directory_that_wants_an_account(world, scheme):
    """REQ-191: who has not bound is told nothing; the password is a file's, sent over TLS alone, and read anew."""
    with Slapd(closed=True) as closed:
        closed.put("SEEMAIL2", ["closed.test"])
        url = closed.url if scheme == "ldap" else closed.ldaps_url
        password = world.dir / f"closed-{scheme}.ldap"
        world.api.post("/v1/directory-sources", {"url": url, "ca_pem": closed.ca_pem, "bind_dn": "cn=admin,c=NZ",
                                                 "credential": password.stem})

        def fails(words):
            wait_for(lambda: f"{url}: {words}" in world.source(url)["last_error"], 30, words)
        fails(f"not asked: the password to bind with (credential {password.name}) cannot be read")
        world.write(password.name, "wrong-7Qx")
        fails("refused the bind (49): Invalid credentials")
        world.write(password.name, closed.directory.password_file.read_text())
        wait_for(lambda: world.members() == ["closed.test"], 30, "the members")
        world.quiet()
        assert world.source(url)["last_error"] == ""
        rows = world.pg.psql("-c", "SELECT a.* FROM sealgate.audit a;"
                             " SELECT * FROM sealgate.directory_source;", database="sealgate")
        said = rows + "".join(path.read_text() for path in world.dir.glob("*.log"))
        assert password.stem in rows and "wrong-7Qx" not in said and password.read_text() not in said


@pytest.mark.parametrize("where", ["reading", "writing"])
def test_killed_in_the_middle_it_is_done_once(world, directory, where):
    """kill -9 of tenantd: what is in force is the old list, and then the new one."""
    old, new = names(3000, "old"), names(2995, "old") + names(200, "new")
    directory.put("SEEMAIL2", old)
    world.use(directory)
    directory.put("SEEMAIL2", new)
    keeper = world.pg.connect("sg_tenant")
    keeper.autocommit = False
    if where == "reading":
        directory.hang()
    else:
        keeper.cursor().execute("SELECT FROM member_list WHERE name = 'WORKSPACE' FOR UPDATE")
    location = world.api.call("POST", "/v1/lists/sync", expect=202).headers["Location"]
    wait_for(lambda: world.api.get(location)["state"] == "running", 30, "its being claimed")
    if where == "writing":  # the first lists' members are written by now, not committed
        wait_for(lambda: "1" == world.pg.psql(
            "-c", "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND query LIKE '%member_list%'", database="sealgate").strip(), 30, "the lock")
    world.processes["tenantd"].kill()
    world.processes.pop("tenantd").wait()
    assert world.api.get(location)["state"] == "running" and world.members() == old
    directory.go_on()
    keeper.close()
    world.tenantd_start()
    world.api.job(location)
    assert world.members() == sorted(new)
    changes = world.api.pages("/v1/list-changes", list_id=world.list()["id"])
    assert [c["state"] for c in changes] == ["applied", "applied"]
    assert (changes[1]["added_count"], changes[1]["removed_count"]) == (200, 5)


def test_first_at_start_then_on_a_schedule(directory):
    directory.put("SEEMAIL2", ["a.test"])
    with World(interval="1s") as w:
        w.use(directory)
        directory.change("SEEMAIL2", add=["b.test"])
        wait_for(lambda: w.members() == ["a.test", "b.test"], 30, "the schedule")


def test_without_directories_there_is_nothing_to_do(world):
    result = world.sync()
    assert result["sources"] == []
    assert result_of(result)["error"] == "no directory has this list"
