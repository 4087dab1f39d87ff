SELECT id, created_at, tenant_id, name, role, scope, state, updated_at
FROM api_client WHERE id = $1::text FOR UPDATE
