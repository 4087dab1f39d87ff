SELECT id, created_at, tenant_id, domain_id, authority_id, reason, state, cause, explanation, key_id,
       certificate_id, attempts::int8, polls::int8, next_at, updated_at, finished_at
FROM certificate_order
WHERE tenant_id = $1::text AND domain_id = $2::text
  AND ($3::timestamptz IS NULL OR (created_at, id) > ($3::timestamptz, $4::text))
ORDER BY created_at, id LIMIT $5::int8
