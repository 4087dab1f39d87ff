UPDATE held_message SET state = $2::text, finished_at = $3::timestamptz, wrapped_key = ''
WHERE id = $1::text AND state = 'held'
