SELECT m.id, r.outcome, r.verdict, r.reply
FROM message m JOIN message_recipient r ON r.received_at = m.received_at AND r.msg_id = m.id
WHERE m.message_id = $1::text AND m.direction = 'outbound' AND r.recipient = $2::text
  AND m.received_at >= $3::timestamptz
ORDER BY (r.outcome = 'delivered') DESC, m.received_at DESC LIMIT 1
