UPDATE domain_ownership SET next_check_at = $2::timestamptz
WHERE domain_id = $1::text AND next_check_at > $2::timestamptz
