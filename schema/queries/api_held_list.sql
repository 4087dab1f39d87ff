SELECT id, held_at, msg_id, tenant_id, domain_id, direction, state, reason, explanation, sender,
       recipients, recipient_domain, queue_id, size_bytes, received_at, next_try_at, expires_at,
       attempts, last_error, finished_at, quarantined, approved_at
FROM held_message
WHERE tenant_id = $1::text AND ($2::text IS NULL OR state = $2::text)
  AND ($3::text IS NULL OR domain_id = $3::text)
  AND ($4::text IS NULL OR recipient_domain = $4::text)
  AND ($5::text IS NULL OR sender = $5::text)
  AND ($6::text IS NULL OR reason = $6::text)
  AND ($7::text IS NULL OR (quarantined AND approved_at IS NULL) = ($7::text = 'administrator'))
  AND ($8::timestamptz IS NULL OR (held_at, id) > ($8::timestamptz, $9::text))
ORDER BY held_at, id LIMIT $10::int8
