UPDATE postmaster_check
SET tries = tries + 1, state = CASE WHEN $2::bool THEN 'verified' ELSE state END,
    verified_at = CASE WHEN $2::bool THEN $3::timestamptz END,
    hash = CASE WHEN $2::bool THEN NULL ELSE hash END
WHERE domain_id = $1::text
