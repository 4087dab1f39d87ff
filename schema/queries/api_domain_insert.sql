INSERT INTO domain (id, tenant_id, name, environment, state, created_at, updated_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $6::text, $5::timestamptz, $5::timestamptz)
RETURNING id, created_at, tenant_id, name, environment, state, updated_at
