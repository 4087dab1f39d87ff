UPDATE tenant SET cancelled_at = $3::timestamptz, ends_at = $4::timestamptz, state_reason = $2::text,
    updated_at = $3::timestamptz
WHERE id = $1::text AND state <> 'closed' AND cancelled_at IS NULL
RETURNING id, created_at, name, state, external_ref, state_reason, cancelled_at, ends_at, closed_at, updated_at
