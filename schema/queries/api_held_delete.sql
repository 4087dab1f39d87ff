UPDATE held_message SET state = 'deleted', finished_at = $3::timestamptz, wrapped_key = ''
WHERE tenant_id = $1::text AND id = $2::text AND state = 'held'
