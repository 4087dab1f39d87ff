SELECT jsonb_build_object(
    'messages', count(DISTINCT msg_id) FILTER (WHERE level = 'breach'),
    'recipients', count(DISTINCT (msg_id, recipient)) FILTER (WHERE level = 'breach'),
    'trigger_words', count(DISTINCT msg_id) FILTER (WHERE code IN ('001', '004')),
    'warned', count(DISTINCT msg_id) FILTER (WHERE level = 'warning'),
    'delayed', count(DISTINCT msg_id) FILTER (WHERE level = 'delay'), 'time_zone', $4::text)::text
FROM breach_event
WHERE at >= $2::timestamptz AND at < $3::timestamptz
  AND received_at >= $2::timestamptz - interval '70 days' AND received_at < $3::timestamptz
  AND ($1::text IS NULL OR tenant_id = $1::text)
