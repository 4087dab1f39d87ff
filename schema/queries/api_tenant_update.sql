UPDATE tenant SET name = coalesce($2::text, name),
    external_ref = CASE WHEN $3::bool THEN $4::text ELSE external_ref END,
    updated_at = $5::timestamptz
WHERE id = $1::text
RETURNING id, created_at, name, state, external_ref, state_reason, cancelled_at, ends_at, closed_at, updated_at
