SELECT id, created_at, tenant_id, name, environment, state, updated_at
FROM domain
WHERE tenant_id = $1::text AND ($2::text IS NULL OR name = $2::text)
  AND ($3::timestamptz IS NULL OR (created_at, id) > ($3::timestamptz, $4::text))
ORDER BY created_at, id LIMIT $5::int8
