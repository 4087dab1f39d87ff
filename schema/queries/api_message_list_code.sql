-- Newest first. $1 tenant, $2 from, $3 to, $4 direction, $5 sender, $6 its domain, $7 Message-ID,
-- $8 queue id, $9 client, $10 recipient, $11 its domain, $12 outcome, $13 verdict, $14 code,
-- $15 and $16 the page. One that is NULL filters nothing; the plan is made for those that are given.
-- Where a code is: from its rows (every one that a recipient ever had) to the messages.
SELECT DISTINCT ON (c.received_at, c.msg_id)
       m.id, m.received_at, m.tenant_id, m.direction, m.node, m.queue_id, m.sender, m.header_from,
       m.message_id, m.client_address, m.size_bytes, m.body_sha256, m.sent_at
FROM message_code c
JOIN message_recipient r ON r.received_at = c.received_at AND r.msg_id = c.msg_id
                        AND r.recipient = c.recipient
JOIN message m ON m.received_at = c.received_at AND m.id = c.msg_id
WHERE ($1::text IS NULL
       OR (c.tenant_id = $1::text AND r.tenant_id = $1::text AND m.tenant_id = $1::text))
  AND c.code = $14::text
  AND ($10::text IS NULL OR r.recipient = $10::text)
  AND ($11::text IS NULL OR r.recipient_domain = $11::text)
  AND ($12::text IS NULL OR r.outcome = $12::text)
  AND ($13::text IS NULL OR r.verdict = $13::text)
  AND ($2::timestamptz IS NULL OR c.received_at >= $2::timestamptz)
  AND ($3::timestamptz IS NULL OR c.received_at < $3::timestamptz)
  AND ($15::timestamptz IS NULL OR (c.received_at, c.msg_id) < ($15::timestamptz, $16::text))
  AND ($2::timestamptz IS NULL OR m.received_at >= $2::timestamptz)
  AND ($3::timestamptz IS NULL OR m.received_at < $3::timestamptz)
  AND ($4::text IS NULL OR m.direction = $4::text)
  AND ($5::text IS NULL OR m.sender = $5::text)
  AND ($6::text IS NULL OR m.sender_domain = $6::text)
  AND ($7::text IS NULL OR m.message_id = $7::text)
  AND ($8::text IS NULL OR m.queue_id = $8::text)
  AND ($9::text IS NULL OR m.client_address = $9::text)
ORDER BY c.received_at DESC, c.msg_id DESC LIMIT $17::int8
