INSERT INTO tenant (id, name, state, created_at, updated_at)
VALUES ($1::text, $2::text, 'active', $3::timestamptz, $3::timestamptz)
RETURNING id, created_at, name, state, updated_at
