SELECT id, created_at, tenant_id, role, name, scope, expires_at, revoked_at, last_used_at,
       client_id, bound
FROM api_token
WHERE ($1::text IS NULL OR client_id = $1::text)
  AND ($2::timestamptz IS NULL OR (created_at, id) > ($2::timestamptz, $3::text))
ORDER BY created_at, id LIMIT $4::int8
