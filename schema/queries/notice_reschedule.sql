UPDATE notice SET next_try_at = $2::timestamptz, leased_by = '', last_error = $3::text
WHERE id = $1::text AND state = 'pending'
