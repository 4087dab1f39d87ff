-- A filter that is NULL filters nothing; the plan is made for the filters that are given.
SELECT m.id, m.received_at, m.tenant_id, m.direction, m.node, m.queue_id, m.sender, m.header_from,
       m.message_id, m.client_address, m.size_bytes, m.body_sha256
FROM message m
WHERE m.tenant_id = $1::text
  AND ($2::timestamptz IS NULL OR m.received_at >= $2::timestamptz)
  AND ($3::timestamptz IS NULL OR m.received_at < $3::timestamptz)
  AND ($4::text IS NULL OR m.sender = $4::text)
  AND ($5::text IS NULL OR EXISTS (
        SELECT FROM message_recipient r
        WHERE r.tenant_id = $1::text AND r.recipient = $5::text
          AND r.received_at = m.received_at AND r.msg_id = m.id))
  AND ($6::text IS NULL OR m.message_id = $6::text)
  AND ($7::text IS NULL OR m.queue_id = $7::text)
  AND ($8::text IS NULL OR m.direction = $8::text)
  AND ($9::timestamptz IS NULL OR (m.received_at, m.id) < ($9::timestamptz, $10::text))
ORDER BY m.received_at DESC, m.id DESC LIMIT $11::int8
