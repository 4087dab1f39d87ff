UPDATE held_message SET state = 'deleted', finished_at = $2::timestamptz, wrapped_key = ''
WHERE tenant_id = $1::text AND id = ANY($3::text[]) AND state = 'held'
