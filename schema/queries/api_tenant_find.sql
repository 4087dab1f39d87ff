SELECT id, created_at, name, state, updated_at
FROM tenant WHERE id = $1::text
