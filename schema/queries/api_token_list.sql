SELECT id, created_at, tenant_id, role, name, scope, expires_at, revoked_at, last_used_at
FROM api_token
WHERE $1::timestamptz IS NULL OR (created_at, id) > ($1::timestamptz, $2::text)
ORDER BY created_at, id LIMIT $3::int8
