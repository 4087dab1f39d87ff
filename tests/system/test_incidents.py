"""Incidents: opened once, counted up, acknowledged, noted, resolved; who sees which.

REQ-144: what is reported to the SecureMail Administrator begins here.
"""
import pytest

from apienv import Platform, new_id


@pytest.fixture(scope="module")
def platform():
    with Platform(tenantd=False, hsm=False) as p:
        yield p


@pytest.fixture(scope="module")
def provider(platform):
    return platform.client()


@pytest.fixture(scope="module")
def tenants(platform):
    return platform.tenant("north"), platform.tenant("south")


def opened(key, kind="certificate.compromised", tenant=None, severity="critical", **more):
    return {"incident": kind, "key": key, "severity": severity, "summary": f"about {key}",
            **({"tenant_id": tenant.id} if tenant else {}), **more}


def only(client, path, **query):
    (row,) = client.get(path, **query)["data"]
    return row


def test_one_that_is_open_is_counted_up(platform, provider, tenants):
    north = tenants[0]
    platform.feed(opened("count", tenant=north, severity="warning", kind="authority.unavailable",
                         domain_id=north.domain["id"], detail='{"try": 1}'))
    first = only(provider, "/v1/incidents", kind="authority.unavailable")
    assert first["occurrences"] == 1 and first["first_seen"] == first["last_seen"]
    assert (first["tenant_id"], first["domain_id"]) == (north.id, north.domain["id"])
    platform.feed(opened("count", tenant=north, severity="info", kind="authority.unavailable"))
    platform.feed({**opened("count", tenant=north, severity="critical",
                            kind="authority.unavailable", detail='{"try": 3}'),
                   "summary": "still away"})
    row = only(provider, "/v1/incidents", kind="authority.unavailable")
    assert row["id"] == first["id"] and row["occurrences"] == 3
    assert row["first_seen"] == first["first_seen"] < row["last_seen"]
    assert (row["severity"], row["summary"], row["detail"]) == ("critical", "still away", {"try": 3})
    platform.feed(opened("count", tenant=north, severity="info", kind="authority.unavailable"))
    assert only(provider, "/v1/incidents", kind="authority.unavailable")["severity"] == "critical"


def test_resolved_by_what_opened_it_and_opened_anew(platform, provider):
    platform.feed(opened("again", kind="directory.shrunk"), {"resolve": "again", "words": "grew"},
                  {"resolve": "again", "words": "twice"}, {"resolve": "never", "words": "was"})
    row = only(provider, "/v1/incidents", kind="directory.shrunk")
    assert (row["state"], row["resolution"], row["resolved_by"]) == ("resolved", "grew", "gatewayd")
    assert row["tenant_id"] is None and row["resolved_at"] >= row["first_seen"]
    notes = provider.get(f"/v1/incidents/{row['id']}")["notes"]
    assert [(n["actor"], n["action"], n["words"]) for n in notes] == [
        ("gatewayd", "resolved", "grew")]
    platform.feed(opened("again", kind="directory.shrunk"))
    rows = provider.get("/v1/incidents", kind="directory.shrunk")["data"]
    assert [r["state"] for r in rows] == ["open", "resolved"] and rows[0]["occurrences"] == 1


def test_what_people_do_is_noted_and_audited(platform, provider, tenants):
    north = tenants[0]
    platform.feed(opened("people", tenant=north, kind="key.old"))
    row = only(north.viewer, f"{north.path}/incidents", kind="key.old")
    own, path = f"{north.path}/incidents/{row['id']}", f"/v1/incidents/{row['id']}"
    north.viewer.post(f"{own}/acknowledge", {"words": "mine"}, expect=403)
    north.viewer.post(f"{own}/notes", {"words": "mine"}, expect=403)
    taken = north.admin.post(f"{own}/acknowledge", {"words": "I look at it"}, expect=200)
    assert taken["state"] == "acknowledged" and "north tenant-admin" in taken["acknowledged_by"]
    assert north.admin.post(f"{own}/acknowledge", {"words": "x"}, expect=409)
    # It is still not resolved: it is counted up, and stays acknowledged.
    platform.feed(opened("people", tenant=north, kind="key.old"))
    assert north.viewer.get(own)["occurrences"] == 2
    assert north.viewer.get(own)["state"] == "acknowledged"
    north.admin.post(f"{own}/resolve", {"words": "x"}, expect=404)  # the provider resolves
    provider.post(f"{path}/notes", {"words": "Renewed.\nIt works."}, expect=200)
    done = provider.post(f"{path}/resolve", {"words": "a new key"}, expect=200)
    assert (done["state"], done["resolution"]) == ("resolved", "a new key")
    assert [(n["action"], n["words"]) for n in done["notes"]] == [
        ("acknowledged", "I look at it"), ("noted", "Renewed.\nIt works."),
        ("resolved", "a new key")]
    assert done["notes"] == north.viewer.get(own)["notes"]
    provider.post(f"{path}/resolve", {"words": "x"}, expect=409)
    provider.post(f"{path}/acknowledge", {"words": "x"}, expect=409)
    provider.post(f"{path}/resolve", {"words": ""}, expect=422)
    audit = [(a["action"], a["object"], (a["after"] or {}).get("state"))
             for a in provider.pages(f"{north.path}/audit")
             if row["id"] in (a["object_id"], (a["after"] or {}).get("incident_id"))]
    assert audit == [("insert", "incident_note", None), ("update", "incident", "resolved"),
                     ("insert", "incident_note", None),
                     ("insert", "incident_note", None), ("update", "incident", "acknowledged"),
                     ("insert", "incident", "open")]


def test_filters_and_pages(platform, provider, tenants):
    south = tenants[1]
    for n in range(5):
        platform.feed(opened(f"page {n}", tenant=south, kind="page.full",
                             severity=("info", "warning", "critical")[n % 3]))
    rows = provider.get(f"{south.path}/incidents", kind="page.full")["data"]
    assert [r["summary"] for r in rows] == [f"about page {n}" for n in (4, 3, 2, 1, 0)]
    assert [r["summary"] for r in provider.pages(f"{south.path}/incidents", limit=2,
                                                 kind="page.full")] == [r["summary"] for r in rows]

    def found(**query):
        return {r["summary"][-1] for r in south.viewer.get(f"{south.path}/incidents",
                                                           kind="page.full", **query)["data"]}

    assert found(severity="info") == {"0", "3"} and found(severity="critical") == {"2"}
    assert found(since=rows[2]["last_seen"]) >= {"3", "4"} and "0" not in found(
        since=rows[3]["last_seen"])
    assert found(state="resolved") == set() and len(found(state="open")) == 5
    platform.feed(opened("page 0", tenant=south, kind="page.full"))  # seen again, so it is recent
    assert found(since=rows[0]["last_seen"]) == {"4", "0"}
    for query in ({"state": "gone"}, {"severity": "bad"}, {"since": "today"}):
        provider.get(f"{south.path}/incidents", expect=422, **query)


def test_who_sees_which(platform, provider, tenants):
    """REQ-136: another tenant's incident, and the platform's own, are nowhere."""
    north, south = tenants
    platform.feed(opened("see north", tenant=north, kind="see.it"),
                  opened("see nobody", kind="see.it"))
    rows = provider.get("/v1/incidents", kind="see.it")["data"]
    assert len(rows) == 2
    mine = only(north.viewer, f"{north.path}/incidents", kind="see.it")
    assert mine["summary"] == "about see north"
    assert south.viewer.get(f"{south.path}/incidents", kind="see.it")["data"] == []
    for row in rows:
        south.admin.get(f"{south.path}/incidents/{row['id']}", expect=404)
        south.admin.post(f"{south.path}/incidents/{row['id']}/notes", {"words": "x"}, expect=404)
        north.admin.get(f"/v1/incidents/{row['id']}", expect=404)
    provider.get(f"{south.path}/incidents/{mine['id']}", expect=404)
    north.viewer.get("/v1/incidents", expect=404)
    provider.post(f"/v1/incidents/{new_id('inc')}/resolve", {"words": "x"}, expect=404)


@pytest.mark.parametrize("change", [{"severity": "bad"}, {"kind": "none"}, {"summary": ""},
                                    {"detail": "no json"}])
def test_an_incident_that_is_none_is_refused(platform, provider, change):
    kind = change.pop("kind", "test.refused")
    with pytest.raises(AssertionError):
        platform.feed({**opened("refused", kind=kind), **change})
    assert provider.get("/v1/incidents", kind=kind)["data"] == []
