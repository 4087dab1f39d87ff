-- Of the messages ($2 received at $3), pairwise.
SELECT r.msg_id, r.recipient, r.outcome, r.verdict, r.codes, r.reply, r.outcome_at
FROM unnest($2::text[], $3::timestamptz[]) AS wanted (msg_id, received_at)
JOIN message_recipient r ON r.msg_id = wanted.msg_id AND r.received_at = wanted.received_at
WHERE ($1::text IS NULL OR r.tenant_id = $1::text)
ORDER BY r.msg_id, r.recipient
