SELECT id, created_at, tenant_id, domain_id, reason, state, waits_for, order_id, certificate_id,
       ordered_at, installed_at, released_at, revoked_at, published_at, listed_at, removed_at,
       finished_at, updated_at
FROM certificate_compromise
WHERE tenant_id = $1::text AND domain_id = $2::text AND id = $3::text
