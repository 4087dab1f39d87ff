-- Breaches of the period: of mail, a row for tenant, domain, code, partner and direction, with the
-- resolution that breach has of it; and of incidents. An outcome comes within 70 days of its message (held
-- for 60 at most).
WITH event AS (
    SELECT * FROM breach_event
    WHERE at >= $2::timestamptz AND at < $3::timestamptz AND level = 'breach'
      AND received_at >= $2::timestamptz - interval '70 days' AND received_at < $3::timestamptz
      AND ($1::text IS NULL OR tenant_id = $1::text)
), of_mail AS (
    SELECT tenant_id, domain, code, partner, direction, min(cause) AS cause,
           count(DISTINCT msg_id) AS messages, count(*) AS recipients, min(at) AS first_seen, max(at) AS last_seen
    FROM event GROUP BY tenant_id, domain, code, partner, direction
), known AS (
    SELECT e.*, b.state, b.resolution
    FROM of_mail e LEFT JOIN LATERAL (
        SELECT state, coalesce(resolution, '') AS resolution FROM breach b
        WHERE b.source = 'mail' AND b.tenant_id = e.tenant_id AND b.domain = e.domain AND b.code = e.code
          AND b.direction = e.direction AND b.partner_domain IN (e.partner, '*')
          AND b.month IN (date_trunc('month', e.first_seen AT TIME ZONE 'UTC')::date,
                          date_trunc('month', e.last_seen AT TIME ZONE 'UTC')::date)
        ORDER BY b.state, b.month DESC LIMIT 1) AS b ON true
    UNION ALL
    SELECT tenant_id, domain, '', partner_domain, direction, cause, messages, recipients,
           greatest(first_seen, $2::timestamptz), least(last_seen, $3::timestamptz), state, coalesce(resolution, '')
    FROM breach
    WHERE source = 'incident' AND level = 'breach' AND first_seen < $3::timestamptz AND last_seen >= $2::timestamptz
      AND ($1::text IS NULL OR tenant_id = $1::text)
)
SELECT coalesce(jsonb_agg(jsonb_build_array(cause, code, domain, partner, direction, messages, recipients,
           to_char(first_seen AT TIME ZONE $4::text, 'YYYY-MM-DD HH24:MI'),
           to_char(last_seen AT TIME ZONE $4::text, 'YYYY-MM-DD HH24:MI'),
           coalesce(state, 'open'), CASE state WHEN 'resolved' THEN resolution ELSE '' END)
       ORDER BY first_seen, domain COLLATE "C", code COLLATE "C", partner COLLATE "C", direction), '[]')::text
FROM known
