UPDATE certificate_request
SET state = CASE WHEN $3::bool THEN 'failed' ELSE 'pending' END, next_try_at = $2::timestamptz,
    leased_by = '', attempts = attempts + 1, last_error = $4::text
WHERE id = $1::text AND state = 'pending'
