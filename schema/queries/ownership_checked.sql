UPDATE domain_ownership
SET checked_at = $2::timestamptz, result = $3::text, dnssec = $4::text, last_error = $5::text,
    deadline_at = $6::timestamptz, next_check_at = $7::timestamptz,
    missing_since = $8::timestamptz, suspend_at = $9::timestamptz,
    attempts = $10::int4, notices = $11::int4,
    method = CASE WHEN $12::bool THEN 'dns' ELSE method END,
    verified_at = CASE WHEN $12::bool THEN $2::timestamptz ELSE verified_at END,
    challenge = CASE WHEN $13::bool AND method = 'attested' THEN '' ELSE challenge END
WHERE domain_id = $1::text
