SELECT id, held_at, msg_id, tenant_id, domain_id, direction, state, reason, explanation, sender,
       recipients, recipient_domain, queue_id, size_bytes, received_at, next_try_at, expires_at,
       attempts, last_error, finished_at
FROM held_message
WHERE tenant_id = $1::text AND ($2::text IS NULL OR state = $2::text)
  AND ($3::timestamptz IS NULL OR (held_at, id) > ($3::timestamptz, $4::text))
ORDER BY held_at, id LIMIT $5::int8
