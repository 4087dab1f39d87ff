UPDATE held_message SET next_try_at = least(next_try_at, $2::timestamptz),
    attempts = CASE WHEN $3::bool THEN 0 ELSE attempts END
WHERE tenant_id = $1::text AND id = ANY($4::text[]) AND state = 'held'
