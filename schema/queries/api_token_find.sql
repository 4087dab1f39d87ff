SELECT id, created_at, tenant_id, role, name, scope, expires_at, revoked_at, last_used_at,
       client_id, bound
FROM api_token WHERE id = $1::text
