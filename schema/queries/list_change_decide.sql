UPDATE list_change SET state = $2::text, decided_at = $3::timestamptz, decided_by = $4::text
WHERE id = $1::text AND state = 'pending'
