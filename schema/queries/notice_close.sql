UPDATE notice
SET state = $2::text, codes = $3::text, partner = $4::text, summary_id = $5::text,
    next_try_at = $6::timestamptz,
    original = CASE WHEN $7::bool THEN '' ELSE original END,
    wrapped_key = CASE WHEN $7::bool THEN '' ELSE wrapped_key END
WHERE id = $1::text AND state = 'open'
