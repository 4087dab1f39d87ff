-- From one state to another, or not at all.
UPDATE tenant SET state = $3::text, state_reason = $4::text, updated_at = $5::timestamptz
WHERE id = $1::text AND state = $2::text
RETURNING id, created_at, name, state, external_ref, state_reason, cancelled_at, ends_at, closed_at, updated_at
