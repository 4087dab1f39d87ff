UPDATE notice SET next_try_at = $2::timestamptz WHERE id = $1::text AND state = 'open'
