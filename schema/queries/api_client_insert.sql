INSERT INTO api_client (id, tenant_id, name, role, scope, state, created_at, updated_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, 'active', $6::timestamptz,
        $6::timestamptz)
RETURNING id, created_at, tenant_id, name, role, scope, state, updated_at
