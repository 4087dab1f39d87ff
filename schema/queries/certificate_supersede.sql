UPDATE certificate SET state = 'superseded', updated_at = $3::timestamptz
WHERE domain_id = $1::text AND state = 'active' AND not_before <= $2::timestamptz
