-- Of each recipient of each message received in the period: one of these, by what became of it. "others"
-- waits still (received, deferred), or was given up (discarded, expired).
SELECT jsonb_build_object(
    'messages_out', min(t.messages_out),
    'recipients_out', count(*) FILTER (WHERE m.direction = 'outbound'),
    'sealed', count(*) FILTER (WHERE m.direction = 'outbound' AND r.outcome = 'delivered' AND r.verdict = 'sealed'),
    'plain_out', count(*) FILTER (WHERE m.direction = 'outbound' AND r.outcome = 'delivered' AND r.verdict <> 'sealed'),
    'held_out', count(*) FILTER (WHERE m.direction = 'outbound' AND r.outcome = 'held'),
    'refused_out', count(*) FILTER (WHERE m.direction = 'outbound' AND r.outcome = 'refused'),
    'others_out', count(*) FILTER (WHERE m.direction = 'outbound' AND r.outcome NOT IN ('delivered', 'held', 'refused')),
    'messages_in', min(t.messages_in),
    'recipients_in', count(*) FILTER (WHERE m.direction = 'inbound'),
    'verified', count(*) FILTER (WHERE m.direction = 'inbound' AND r.outcome = 'delivered' AND r.verdict = 'verified'),
    'unverified', count(*) FILTER (WHERE m.direction = 'inbound' AND r.outcome = 'delivered' AND r.verdict = 'unverified'),
    'plain_in', count(*) FILTER (WHERE m.direction = 'inbound' AND r.outcome = 'delivered' AND r.verdict NOT IN ('verified', 'unverified')),
    'held_in', count(*) FILTER (WHERE m.direction = 'inbound' AND r.outcome = 'held'),
    'refused_in', count(*) FILTER (WHERE m.direction = 'inbound' AND r.outcome = 'refused'),
    'others_in', count(*) FILTER (WHERE m.direction = 'inbound' AND r.outcome NOT IN ('delivered', 'held', 'refused')),
    'bytes', min(t.bytes),
    'time_zone', $4::text)::text
FROM (SELECT count(*) FILTER (WHERE direction = 'outbound') AS messages_out,
             count(*) FILTER (WHERE direction = 'inbound') AS messages_in,
             coalesce(sum(size_bytes), 0)::int8 AS bytes
      FROM message
      WHERE received_at >= $2::timestamptz AND received_at < $3::timestamptz
        AND ($1::text IS NULL OR tenant_id = $1::text)) AS t
LEFT JOIN (message m JOIN message_recipient r ON r.received_at = m.received_at AND r.msg_id = m.id
               AND m.received_at >= $2::timestamptz AND m.received_at < $3::timestamptz
               AND r.received_at >= $2::timestamptz AND r.received_at < $3::timestamptz
               AND ($1::text IS NULL OR m.tenant_id = $1::text)) ON true
