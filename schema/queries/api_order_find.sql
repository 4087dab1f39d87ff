SELECT id, created_at, tenant_id, domain_id, authority_id, reason, state, cause, explanation, key_id,
       certificate_id, attempts::int8, polls::int8, next_at, updated_at, finished_at
FROM certificate_order
WHERE tenant_id = $1::text AND domain_id = $2::text AND id = $3::text
