SELECT id, tenant_id, role, name, expires_at, revoked_at, tenant_state, scope,
       last_used_at, client_id, client_state, bound
FROM auth_token WHERE hash = $1::bytea
