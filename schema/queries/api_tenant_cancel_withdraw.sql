UPDATE tenant SET cancelled_at = NULL, ends_at = NULL, state_reason = '', updated_at = $2::timestamptz
WHERE id = $1::text AND state <> 'closed' AND cancelled_at IS NOT NULL
RETURNING id, created_at, name, state, external_ref, state_reason, cancelled_at, ends_at, closed_at, updated_at
