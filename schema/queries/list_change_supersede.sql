UPDATE list_change SET state = 'superseded', decided_at = $2::timestamptz
WHERE list_id = $1::text AND state = 'pending'
