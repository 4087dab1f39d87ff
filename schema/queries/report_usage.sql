-- Of each of our domains, those without mail too: what was sent by it and received for it. A message counts once
-- for a domain, with its whole size.
WITH traffic AS (
    SELECT m.tenant_id, CASE m.direction WHEN 'outbound' THEN m.sender_domain ELSE r.recipient_domain END AS domain,
           m.direction, m.id, m.size_bytes, count(*) AS recipients
    FROM message m JOIN message_recipient r ON r.received_at = m.received_at AND r.msg_id = m.id
    WHERE m.received_at >= $2::timestamptz AND m.received_at < $3::timestamptz
      AND r.received_at >= $2::timestamptz AND r.received_at < $3::timestamptz
      AND ($1::text IS NULL OR m.tenant_id = $1::text)
    GROUP BY 1, 2, m.direction, m.received_at, m.id, m.size_bytes
), used AS (
    SELECT tenant_id, domain,
           count(*) FILTER (WHERE direction = 'outbound') AS messages_out,
           coalesce(sum(recipients) FILTER (WHERE direction = 'outbound'), 0)::int8 AS recipients_out,
           coalesce(sum(size_bytes) FILTER (WHERE direction = 'outbound'), 0)::int8 AS bytes_out,
           count(*) FILTER (WHERE direction = 'inbound') AS messages_in,
           coalesce(sum(recipients) FILTER (WHERE direction = 'inbound'), 0)::int8 AS recipients_in,
           coalesce(sum(size_bytes) FILTER (WHERE direction = 'inbound'), 0)::int8 AS bytes_in
    FROM traffic GROUP BY tenant_id, domain
), own AS (
    SELECT DISTINCT tenant_id, name AS domain FROM domain
    WHERE state IN ('attested', 'verified', 'suspended') AND created_at < $3::timestamptz
      AND ($1::text IS NULL OR tenant_id = $1::text)
), every AS (
    SELECT coalesce(o.tenant_id, u.tenant_id) AS tenant_id, coalesce(o.domain, u.domain) AS domain,
           coalesce(messages_out, 0) AS messages_out, coalesce(recipients_out, 0) AS recipients_out,
           coalesce(bytes_out, 0) AS bytes_out, coalesce(messages_in, 0) AS messages_in,
           coalesce(recipients_in, 0) AS recipients_in, coalesce(bytes_in, 0) AS bytes_in
    FROM own o FULL JOIN used u ON u.tenant_id = o.tenant_id AND u.domain = o.domain
)
SELECT jsonb_build_object(
    'tenants', count(DISTINCT e.tenant_id), 'domains', count(*) FILTER (WHERE e.domain <> ''),
    'messages_out', coalesce(sum(messages_out), 0)::int8, 'recipients_out', coalesce(sum(recipients_out), 0)::int8,
    'bytes_out', coalesce(sum(bytes_out), 0)::int8, 'messages_in', coalesce(sum(messages_in), 0)::int8,
    'recipients_in', coalesce(sum(recipients_in), 0)::int8, 'bytes_in', coalesce(sum(bytes_in), 0)::int8,
    'rows', coalesce(jsonb_agg(jsonb_build_array(e.tenant_id, t.name, e.domain, messages_out, recipients_out, bytes_out,
                                                 messages_in, recipients_in, bytes_in)
                               ORDER BY t.name, e.tenant_id, e.domain COLLATE "C"), '[]'),
    'time_zone', $4::text)::text
FROM every e JOIN tenant t ON t.id = e.tenant_id
