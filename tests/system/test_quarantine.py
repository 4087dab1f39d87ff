"""Quarantine: what an administrator has to see before it goes, released, refused, run out of time, by one
and by the hundred, over the REST API and its jobs.

REQ-33 REQ-34 REQ-56 REQ-57 REQ-110 REQ-111
"""
import json
import re
import tempfile

import pytest

from policylab import PARTNER, Lab, mail
from sealgate.layout import ROOT
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, C, OUTSIDE, header

# In a charset that nobody knows: whatever it says, it cannot be read for certain.
UNREADABLE = "Content-Type: text/plain; charset=x-nobody-knows\r\nContent-Transfer-Encoding: base64\r\n"
UNREADABLE_BODY = "cXVhcnRlcmx5IGZpZ3VyZXM=\r\n"
MULTIPART = 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n'
ATTACHED = ('--b\r\nContent-Type: text/plain\r\n\r\nSee the attached.\r\n--b\r\nContent-Type: text/plain\r\n'
            'Content-Disposition: attachment; filename="a.txt"\r\n\r\nIt is [{word}].\r\n--b--\r\n')


@pytest.fixture(scope="module")
def lab():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgq", dir="/var/tmp") as folder:
        s = Lab(folder, block, clock=True)
        try:
            yield s.start()
        finally:
            s.stop()


def submit(lab, name, to, body="[SECRET]\r\n", **more):
    lab.submit(f"joe@{A}", [f"x@{to}"], mail(f"joe@{A}", [f"x@{to}"], name, body, **more))


def quarantined(lab, to, name):
    held = lab.held(lab.a, to, name)
    assert held["quarantined"] and held["approved_at"] is None and held["state"] == "held"
    return held


def release(lab, held):
    return lab.platform.api.post(f"{lab.a.path}/held/{held['id']}/release")


def state(lab, held):
    return lab.platform.api.get(f"{lab.a.path}/held/{held['id']}")["state"]


@pytest.mark.parametrize("word", ["TOP SECRET", "SECRET", "CONFIDENTIAL"])
def test_released_it_goes_sealed(lab, word):
    """REQ-110: not before it is released, though SEEMail may have it; the administrator is told."""
    name = f"release-{word.replace(' ', '-')}"
    submit(lab, name, B, f"Here: [{word}]\r\n")
    held = quarantined(lab, B, name)
    assert held["reason"] == "" and held["next_try_at"] == held["expires_at"]
    notice = lab.notice(A, word, name, to=f"postmaster@{A}")
    assert notice.sender == "" and b"Here:" not in notice.raw
    assert lab.decided(name)["action"] == "quarantine" and lab.decided(name)["rule"] == "trigger-quarantine"
    assert not [m for m in lab.servers[B].mails if name.encode() in m.raw]
    assert release(lab, held)["approved_at"] is not None
    got = lab.arrived(B, name)[0]
    assert got.raw.endswith(f"\r\n\r\nHere: [{word}]\r\n".encode())
    assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={A}"
    wait_for(lambda: state(lab, held) == "sent", 10, "its end")
    rows = lab.platform.api.list(f"{lab.a.path}/audit", object="held_message", object_id=held["id"])
    assert any(r["before"] and r["before"]["approved_at"] is None and r["after"]["approved_at"] for r in rows)
    assert all(f"[{word}]".encode() not in raw for _, raw in lab.tap.messages)


@pytest.mark.parametrize("to", [C, OUTSIDE])
def test_released_it_still_does_not_go_where_no_word_may(lab, to):
    """REQ-111: a release passes over quarantine, never over sealing: FAILURE 001 to the sender."""
    name = f"no-way-{to}"
    submit(lab, name, to)
    release(lab, quarantined(lab, to, name))
    notice = lab.notice(A, "SECURE DELIVERY FAILURE", name, to=f"joe@{A}")
    assert b"[Code: 001]" in notice.raw
    lab.settled(name, {f"x@{to}": "refused"})
    assert not [m for m in lab.servers[to].mails if name.encode() in m.raw]


def test_released_to_an_exception(lab):
    submit(lab, "release-exception", PARTNER, "Read [SECRET] me\r\n")
    release(lab, quarantined(lab, PARTNER, "release-exception"))
    assert b"Read [SECRET] me" in lab.open_at(PARTNER, lab.arrived(PARTNER, "release-exception")[0].raw)


def test_text_that_nobody_can_read(lab):
    """REQ-33: towards an outsider it waits; released it goes unchanged, for the administrator knows of it."""
    submit(lab, "unreadable", OUTSIDE, UNREADABLE_BODY, fields=UNREADABLE)
    held = quarantined(lab, OUTSIDE, "unreadable")
    assert lab.decided("unreadable")["rule"] == "undecodable"
    assert [s for s in lab.trace("unreadable") if s["step"] == "undecodable"]
    release(lab, held)
    assert lab.arrived(OUTSIDE, "unreadable")[0].raw.endswith(UNREADABLE_BODY.encode())
    # To SEEMail it goes sealed at once; and to anybody where the domain has chosen to send it.
    submit(lab, "unreadable-inside", B, UNREADABLE_BODY, fields=UNREADABLE)
    assert lab.arrived(B, "unreadable-inside")
    with lab.policy(lab.a, {"undecodable_action": "send"}):
        submit(lab, "unreadable-sent", OUTSIDE, UNREADABLE_BODY, fields=UNREADABLE)
        assert lab.arrived(OUTSIDE, "unreadable-sent")


def test_held_first_and_quarantined_later(lab):
    """REQ-110: the administrator is told of that too, or it would lie there until its time is up."""
    made = lab.except_("nocert.test")
    submit(lab, "looked-at-later", "nocert.test", ATTACHED.format(word="SECRET"), fields=MULTIPART)
    held = lab.held(lab.a, "nocert.test", "looked-at-later")
    assert held["reason"] == "201" and not held["quarantined"]
    with lab.policy(lab.a, {"attachment_scanning": True}):
        assert lab.bulk(lab.a, {"action": "retry", "recipient_domain": "nocert.test"}) == 1
        wait_for(lambda: lab.platform.api.get(f"{lab.a.path}/held/{held['id']}")["quarantined"], 30, "its quarantine")
    assert lab.notice(A, "QUARANTINED MESSAGE", "looked-at-later", to=f"postmaster@{A}")
    lab.platform.api.delete(f"{lab.a.path}/held/{held['id']}")
    lab.platform.api.delete(f"{lab.a.domain_path}/exceptions/{made['id']}")


def test_attachments_are_read_where_the_domain_wants_it(lab):
    """REQ-34."""
    body = ATTACHED.format(word="SENSITIVE")
    submit(lab, "attached-unread", OUTSIDE, body, fields=MULTIPART)
    assert lab.arrived(OUTSIDE, "attached-unread")
    with lab.policy(lab.a, {"attachment_scanning": True}):
        submit(lab, "attached-read", OUTSIDE, body, fields=MULTIPART)
        lab.settled("attached-read", {f"x@{OUTSIDE}": "refused"})


def test_who_may_release(lab):
    """A viewer may not; and what was given up is gone."""
    submit(lab, "may-release", B)
    held = quarantined(lab, B, "may-release")
    api, path = lab.platform.api, f"{lab.a.path}/held/{held['id']}"
    assert held["id"] in [h["id"] for h in lab.a.held(waiting_for="administrator")]
    assert held["id"] not in [h["id"] for h in lab.a.held(waiting_for="next_try")]
    viewer = lab.token("tenant-viewer", lab.a)
    assert viewer.get(path)["id"] == held["id"]
    assert lab.refused(viewer, "POST", f"{path}/release") == 403
    api.delete(path)
    assert lab.refused(api, "POST", f"{path}/release") == 409
    assert not [m for m in lab.servers[B].mails if b"may-release" in m.raw]


def test_the_security_officer_releases(lab):
    submit(lab, "officer-releases", B)
    held = quarantined(lab, B, "officer-releases")
    lab.token("security-officer").post(f"{lab.a.path}/held/{held['id']}/release")
    assert lab.arrived(B, "officer-releases")


def test_many_at_once(lab):
    """retry leaves it there, release lets it go: by a filter, as a job."""
    for n in range(3):
        submit(lab, f"bulk-{n}", B)
    wait_for(lambda: len(lab.a.held(state="held", waiting_for="administrator")) == 3, 30, "three")
    assert lab.bulk(lab.a, {"action": "retry", "recipient_domain": B}) == 0
    assert len(lab.a.held(state="held", waiting_for="administrator")) == 3
    assert lab.bulk(lab.a, {"action": "release", "waiting_for": "administrator", "sender": f"joe@{A}"}) == 3
    for n in range(3):
        assert lab.arrived(B, f"bulk-{n}")


def test_its_time_runs_out(lab):
    """REQ-57: hold_lifetime_hours; unreleased it is not tried, and its sender is told that it failed."""
    with lab.policy(lab.a, {"hold_lifetime_hours": 1}):
        submit(lab, "runs-out", B)
        held = quarantined(lab, B, "runs-out")
    lab.platform.clock_set(3500)
    submit(lab, "meanwhile", B, "No word.\r\n")
    assert lab.arrived(B, "meanwhile") and state(lab, held) == "held"
    lab.platform.clock_set(3700)
    wait_for(lambda: state(lab, held) == "expired", 30, "its end")
    assert lab.notice(A, "SECURE DELIVERY FAILURE", "runs-out", to=f"joe@{A}")
    assert not [m for m in lab.servers[B].mails if b"runs-out" in m.raw]


def test_released_after_its_time(lab):
    """gatewayd was away when its time was up: who has released it after that is in the audit log, as he is before."""
    with lab.policy(lab.a, {"hold_lifetime_hours": 1}):
        submit(lab, "released-late", B)
        held = quarantined(lab, B, "released-late")
    lab.platform.gatewayd.stop()
    lab.platform.clock_set(2 * 3700)
    assert release(lab, held)["approved_at"] > held["expires_at"]
    rows = lab.platform.api.list(f"{lab.a.path}/audit", object="held_message", object_id=held["id"])
    lab.platform.gatewayd.start()
    assert [r["actor"][:6] for r in rows if r["before"] and r["before"]["approved_at"] is None
            and r["after"]["approved_at"]] == ["token:"]
    assert lab.arrived(B, "released-late")
    wait_for(lambda: state(lab, held) == "sent", 10, "its end")


def test_the_first_wait_and_the_hours_that_are_told(lab):
    """REQ-57: hold_retry_minutes of the domain; DELAYED has the hours until the next try."""
    api = lab.platform.api
    member = api.post("/v1/member-domains", {"name": "nocert.test", "environment": "seemail"})
    with lab.policy(lab.a, {"hold_retry_minutes": 150}):
        submit(lab, "three-hours", "nocert.test", "No word.\r\n")
        held = lab.held(lab.a, "nocert.test")
        assert 149 <= lab.minutes_between(held["held_at"], held["next_try_at"]) <= 151
        notice = lab.notice(A, "SECURE DELIVERY DELAYED", "three-hours", to=f"joe@{A}")
        assert b"try again in 3 hours" in notice.raw
    api.delete(f"{lab.a.path}/held/{held['id']}")
    api.delete(f"/v1/member-domains/{member['id']}")


def test_the_explanation_is_for_people(lab):
    submit(lab, "explained", B)
    held = quarantined(lab, B, "explained")
    assert held["explanation"] == \
        "the message holds a trigger word that an administrator has to look at: quarantined"
    assert "SECRET" in json.dumps([s["detail"] for s in lab.trace("explained")])
    release(lab, held)
    assert lab.arrived(B, "explained")


def restored(lab, dump):
    """As docs/operations/restored.md says: an older database, and the journal fed anew."""
    platform, pg = lab.platform, lab.platform.postgresql
    for part in (platform.apid, platform.tenantd, platform.gatewayd):
        part.stop()
    pg.psql("DROP DATABASE sealgate WITH (FORCE)", "postgres")
    pg.kept = None
    pg.run("pg_restore", "-h", pg.socket, "-p", pg.port, "-U", "postgres", "-C", "-d", "postgres", dump)
    (platform.layout.archive / "journal/position").unlink()
    for part in (platform.gatewayd, platform.tenantd, platform.apid):
        part.start()


def test_postgresql_came_back_older(lab):
    """REQ-155: the log is there again from the journal, what was sent since goes to nobody twice, and the page's
    statements list whose held mail is lost, and who may not have been told."""
    pg = lab.platform.postgresql
    dump = lab.platform.layout.pg / "older.dump"
    submit(lab, "sent-since", B)
    since = quarantined(lab, B, "sent-since")
    pg.run("pg_dump", "-h", pg.socket, "-p", pg.port, "-U", "postgres", "-Fc", "-f", dump, "sealgate")
    release(lab, since)
    assert lab.arrived(B, "sent-since")
    submit(lab, "held-since", B)
    lost = quarantined(lab, B, "held-since")
    restored(lab, dump)
    page = (ROOT / "docs/operations/restored.md").read_text("utf-8")
    held, notices = (re.sub(r"'\d{4}-[^']*'", f"'{lost['received_at']}'::timestamptz - interval '1 second'", statement)
                     for statement in re.findall(r"```sql\n(.*?)```", page, re.S))
    wait_for(lambda: lost["msg_id"] in pg.psql(held), 20, "the log, fed anew")
    assert pg.psql(held).count("msg_") == 1
    assert f"postmaster@{A}" in pg.psql("SET search_path = sealgate;" + notices)
    assert state(lab, since) == "held"
    release(lab, since)
    wait_for(lambda: state(lab, since) == "sent", 20, "its end, by the log")
    submit(lab, "after-the-restore", B, "No word.\r\n")
    assert lab.arrived(B, "after-the-restore")
    assert len([m for m in lab.servers[B].mails if b"sent-since" in m.raw]) == 1
