-- Does another certificate of the domain sign at that time?
SELECT EXISTS (SELECT 1 FROM certificate
WHERE domain_id = $1::text AND id <> $2::text AND state = 'active' AND not_after > $3::timestamptz)
