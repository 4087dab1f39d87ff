-- A row for each day of the zone, those without mail too. Columns as in report_traffic.sql.
WITH day AS (
    SELECT generate_series(date_trunc('day', $2::timestamptz AT TIME ZONE $4::text),
                           date_trunc('day', ($3::timestamptz - interval '1 microsecond') AT TIME ZONE $4::text),
                           interval '1 day')::date AS day
), counted AS (
    SELECT (m.received_at AT TIME ZONE $4::text)::date AS day,
        count(*) FILTER (WHERE m.direction = 'outbound' AND r.outcome = 'delivered' AND r.verdict = 'sealed') AS sealed,
        count(*) FILTER (WHERE m.direction = 'outbound' AND r.outcome = 'delivered' AND r.verdict <> 'sealed') AS plain_out,
        count(*) FILTER (WHERE m.direction = 'outbound' AND r.outcome = 'held') AS held_out,
        count(*) FILTER (WHERE m.direction = 'outbound' AND r.outcome = 'refused') AS refused_out,
        count(*) FILTER (WHERE m.direction = 'outbound' AND r.outcome NOT IN ('delivered', 'held', 'refused')) AS others_out,
        count(*) FILTER (WHERE m.direction = 'inbound' AND r.outcome = 'delivered' AND r.verdict = 'verified') AS verified,
        count(*) FILTER (WHERE m.direction = 'inbound' AND r.outcome = 'delivered' AND r.verdict = 'unverified') AS unverified,
        count(*) FILTER (WHERE m.direction = 'inbound' AND r.outcome = 'delivered' AND r.verdict NOT IN ('verified', 'unverified')) AS plain_in,
        count(*) FILTER (WHERE m.direction = 'inbound' AND r.outcome = 'held') AS held_in,
        count(*) FILTER (WHERE m.direction = 'inbound' AND r.outcome = 'refused') AS refused_in,
        count(*) FILTER (WHERE m.direction = 'inbound' AND r.outcome NOT IN ('delivered', 'held', 'refused')) AS others_in
    FROM message m JOIN message_recipient r ON r.received_at = m.received_at AND r.msg_id = m.id
    WHERE m.received_at >= $2::timestamptz AND m.received_at < $3::timestamptz AND r.received_at >= $2::timestamptz AND r.received_at < $3::timestamptz
      AND ($1::text IS NULL OR m.tenant_id = $1::text)
    GROUP BY 1
)
SELECT jsonb_agg(jsonb_build_array(to_char(day, 'YYYY-MM-DD'),
    coalesce(sealed, 0), coalesce(plain_out, 0), coalesce(held_out, 0), coalesce(refused_out, 0), coalesce(others_out, 0),
    coalesce(verified, 0), coalesce(unverified, 0), coalesce(plain_in, 0), coalesce(held_in, 0), coalesce(refused_in, 0),
    coalesce(others_in, 0)) ORDER BY day)::text
FROM day LEFT JOIN counted USING (day)
