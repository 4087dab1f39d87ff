SELECT id, created_at, tenant_id, name, environment, state, updated_at
FROM domain WHERE tenant_id = $1::text AND id = $2::text
