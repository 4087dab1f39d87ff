-- Of what a bulk job is about, a portion at a time.
SELECT id FROM held_message
WHERE tenant_id = $1::text AND state = 'held' AND held_at <= $2::timestamptz AND id > $3::text
  AND ($4::text IS NULL OR domain_id = $4::text)
  AND ($5::text IS NULL OR recipient_domain = $5::text)
  AND ($6::text IS NULL OR sender = $6::text)
  AND ($7::text IS NULL OR reason = $7::text)
  AND ($8::text IS NULL OR (quarantined AND approved_at IS NULL) = ($8::text = 'administrator'))
ORDER BY id LIMIT $9::int4
