SELECT id, created_at, tenant_id, name, role, scope, state, updated_at
FROM api_client
WHERE $1::timestamptz IS NULL OR (created_at, id) > ($1::timestamptz, $2::text)
ORDER BY created_at, id LIMIT $3::int8
