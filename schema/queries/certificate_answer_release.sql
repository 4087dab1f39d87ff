DELETE FROM certificate_answer
WHERE domain_id = $1::text AND partner = $2::text AND answered_at = $3::timestamptz
