"""Changes that other tests make where apienv.Platform is not: what they leave in the audit log."""
import pytest

from apienv import Platform, new_id
from apigen import PREFIX, good_body
from test_api_isolation import certificates


@pytest.fixture(scope="module")
def platform():
    with Platform(tenantd=False, hsm=False) as p:
        yield p


def left(provider, reply):
    """(action, kind of thing) of what a request left."""
    request = reply.headers["X-Request-Id"]
    return {(e["action"], e["object"]) for e in provider.pages("/v1/audit", limit=500) if e["request_id"] == request}


def test_authorities_orders_and_revocations(platform):
    provider, tenant = platform.client(), platform.tenant("audited")
    key = provider.post(f"{tenant.domain_path}/keys", {"algorithm": "rsa-2048", "kind": "wrapped"}, 202)["key"]
    tenant.ids = {"tenant_id": tenant.id, "domain_id": tenant.domain["id"], "key_id": key["id"],
                  "certificate_id": new_id(PREFIX["certificate_id"])}
    certificates(platform, provider, tenant)
    made = provider.post("/v1/authorities", {"name": "Another", "method": "manual"})
    path = f"/v1/authorities/{made['id']}"
    changed = provider.call("PUT", path, {"name": "Renamed", "method": "manual"}, expect=200)
    assert left(provider, changed) == {("update", "certificate_authority")}
    for where in tenant.path, tenant.domain_path:
        chosen = provider.call("PUT", f"{where}/authority",
                               {**good_body("PUT", "/v1/tenants/{tenant_id}/authority"), "authority_id": made["id"]},
                               expect=200)
        assert left(provider, chosen)
        provider.delete(f"{where}/authority")
    gone = provider.call("DELETE", path, expect=204)
    assert left(provider, gone) == {("delete", "certificate_authority")}
    cancelled = provider.call("POST", f"{tenant.domain_path}/orders/{tenant.ids['order_id']}/cancel", expect=200)
    assert ("update", "certificate_order") in left(provider, cancelled)
    with platform.pg.connect("sg_owner") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.actor', 'test', true), set_config('app.now', now()::text, true)")
        cursor.execute("DELETE FROM certificate_revocation WHERE id = %s", (tenant.ids["revocation_id"],))
    revoke = "/v1/tenants/{tenant_id}/domains/{domain_id}/certificates/{certificate_id}/revoke"
    revoked = provider.call("POST", f"{tenant.domain_path}/certificates/{tenant.ids['certificate_id']}/revoke",
                            good_body("POST", revoke))
    assert revoked.status in (200, 202), revoked.json
    assert ("insert", "certificate_revocation") in left(provider, revoked)
