UPDATE api_client
SET name = coalesce($2::text, name), state = coalesce($3::text, state),
    updated_at = $4::timestamptz
WHERE id = $1::text
RETURNING id, created_at, tenant_id, name, role, scope, state, updated_at
