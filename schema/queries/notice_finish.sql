UPDATE notice
SET state = $2::text, last_error = $3::text, finished_at = $4::timestamptz, original = '',
    wrapped_key = ''
WHERE id = $1::text AND state = 'pending'
