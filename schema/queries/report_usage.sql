-- By tenant what billing says of the month: closed, with the adjustments made since (usage_month), or, while
-- it is not closed, as it is computed now. By domain a breakdown of its mail; a message for two of our domains stands
-- at each of them.
WITH closed AS (
    SELECT tenant_id, sum(messages_out)::int8 AS messages_out, sum(recipients_out)::int8 AS recipients_out,
           sum(bytes_out)::int8 AS bytes_out, sum(messages_in)::int8 AS messages_in, sum(recipients_in)::int8 AS recipients_in,
           sum(bytes_in)::int8 AS bytes_in, sum(sealed)::int8 AS sealed, sum(opened)::int8 AS opened, sum(held)::int8 AS held,
           sum(refused)::int8 AS refused, sum(domains)::int8 AS domains, sum(domain_days)::int8 AS domain_days,
           sum(storage_bytes) FILTER (WHERE revision = 0)::int8 AS storage_bytes
    FROM usage_month
    WHERE month = ($2::timestamptz AT TIME ZONE $4::text)::date AND ($1::text IS NULL OR tenant_id = $1::text)
    GROUP BY tenant_id
), used AS (
    SELECT t.id AS tenant_id, t.name, c.tenant_id IS NOT NULL AS is_closed,
           coalesce(c.domains, n.domains) AS domains, coalesce(c.domain_days, n.domain_days) AS domain_days,
           coalesce(c.messages_out, n.messages_out) AS messages_out, coalesce(c.recipients_out, n.recipients_out) AS recipients_out,
           coalesce(c.bytes_out, n.bytes_out) AS bytes_out, coalesce(c.sealed, n.sealed) AS sealed,
           coalesce(c.messages_in, n.messages_in) AS messages_in, coalesce(c.recipients_in, n.recipients_in) AS recipients_in,
           coalesce(c.bytes_in, n.bytes_in) AS bytes_in, coalesce(c.opened, n.opened) AS opened,
           coalesce(c.held, n.held) AS held, coalesce(c.refused, n.refused) AS refused,
           coalesce(c.storage_bytes, n.storage_bytes) AS storage_bytes
    FROM usage_compute($2::timestamptz, $3::timestamptz, $4::text, $1::text) AS n
    JOIN tenant t ON t.id = n.tenant_id
    LEFT JOIN closed c ON c.tenant_id = n.tenant_id
), traffic AS (
    SELECT m.tenant_id, CASE m.direction WHEN 'outbound' THEN m.sender_domain ELSE r.recipient_domain END AS domain,
           m.direction, m.id, m.size_bytes, count(*) AS recipients
    FROM message m JOIN message_recipient r ON r.received_at = m.received_at AND r.msg_id = m.id
    WHERE m.received_at >= $2::timestamptz AND m.received_at < $3::timestamptz
      AND r.received_at >= $2::timestamptz AND r.received_at < $3::timestamptz
      AND ($1::text IS NULL OR m.tenant_id = $1::text)
    GROUP BY 1, 2, m.direction, m.received_at, m.id, m.size_bytes
), by_domain AS (
    SELECT tenant_id, domain, count(*) FILTER (WHERE direction = 'outbound') AS messages_out,
           coalesce(sum(recipients) FILTER (WHERE direction = 'outbound'), 0)::int8 AS recipients_out,
           coalesce(sum(size_bytes) FILTER (WHERE direction = 'outbound'), 0)::int8 AS bytes_out,
           count(*) FILTER (WHERE direction = 'inbound') AS messages_in,
           coalesce(sum(recipients) FILTER (WHERE direction = 'inbound'), 0)::int8 AS recipients_in,
           coalesce(sum(size_bytes) FILTER (WHERE direction = 'inbound'), 0)::int8 AS bytes_in
    FROM traffic GROUP BY tenant_id, domain
)
SELECT (jsonb_build_object(
    'tenants', count(*), 'not_closed', count(*) FILTER (WHERE NOT is_closed), 'domains', coalesce(sum(domains), 0)::int8,
    'domain_days', coalesce(sum(domain_days), 0)::int8,
    'messages_out', coalesce(sum(messages_out), 0)::int8, 'recipients_out', coalesce(sum(recipients_out), 0)::int8,
    'bytes_out', coalesce(sum(bytes_out), 0)::int8, 'sealed', coalesce(sum(sealed), 0)::int8,
    'messages_in', coalesce(sum(messages_in), 0)::int8, 'recipients_in', coalesce(sum(recipients_in), 0)::int8,
    'bytes_in', coalesce(sum(bytes_in), 0)::int8, 'opened', coalesce(sum(opened), 0)::int8,
    'held', coalesce(sum(held), 0)::int8, 'refused', coalesce(sum(refused), 0)::int8,
    'storage_bytes', coalesce(sum(storage_bytes), 0)::int8,
    'rows', coalesce(jsonb_agg(jsonb_build_array(tenant_id, name, is_closed, domains, domain_days, messages_out, recipients_out,
                bytes_out, sealed, messages_in, recipients_in, bytes_in, opened, held, refused, storage_bytes)
                ORDER BY name, tenant_id), '[]'))
    || jsonb_build_object('by_domain', (
        SELECT coalesce(jsonb_agg(jsonb_build_array(b.tenant_id, t.name, b.domain, b.messages_out, b.recipients_out, b.bytes_out,
                                                    b.messages_in, b.recipients_in, b.bytes_in)
                                  ORDER BY t.name, b.tenant_id, b.domain COLLATE "C"), '[]')
        FROM by_domain b JOIN tenant t ON t.id = b.tenant_id)))::text
FROM used
