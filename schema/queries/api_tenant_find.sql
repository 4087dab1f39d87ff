SELECT id, created_at, name, state, external_ref, state_reason, cancelled_at, ends_at, closed_at, updated_at
FROM tenant WHERE id = $1::text
