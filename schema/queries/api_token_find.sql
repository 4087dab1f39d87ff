SELECT id, created_at, tenant_id, role, name, expires_at, revoked_at
FROM api_token WHERE id = $1::text
