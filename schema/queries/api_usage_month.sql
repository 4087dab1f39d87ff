-- A month of each tenant ($1 NULL) or of one; closed: as it was frozen, with its adjustments; open: as the
-- log is at $6. $2 the month ("2026-11-01"). Only the tenants of the page are counted.
WITH zone AS (
    SELECT z.zone, $2::text::timestamp AT TIME ZONE z.zone AS begins,
           least(($2::text::timestamp + interval '1 month') AT TIME ZONE z.zone, $6::timestamptz) AS ends
    FROM (SELECT coalesce((SELECT time_zone FROM usage_zone), 'UTC')) AS z (zone)),
page AS MATERIALIZED (
    SELECT t.id, t.created_at, t.name FROM tenant t, zone z
    WHERE ($1::text IS NULL OR t.id = $1::text)
      AND ($3::timestamptz IS NULL OR (t.created_at, t.id) > ($3::timestamptz, $4::text))
      AND (t.created_at < z.ends
           OR EXISTS (SELECT FROM usage_month u WHERE u.tenant_id = t.id AND u.month = $2::text::date))
    ORDER BY t.created_at, t.id LIMIT $5::int8),
frozen AS (
    SELECT u.tenant_id, sum(u.messages_out)::int8 AS messages_out, sum(u.recipients_out)::int8 AS recipients_out, sum(u.bytes_out)::int8 AS bytes_out, sum(u.messages_in)::int8 AS messages_in, sum(u.recipients_in)::int8 AS recipients_in, sum(u.bytes_in)::int8 AS bytes_in, sum(u.sealed)::int8 AS sealed, sum(u.opened)::int8 AS opened, sum(u.held)::int8 AS held, sum(u.refused)::int8 AS refused, sum(u.domains)::int8 AS domains, sum(u.domain_days)::int8 AS domain_days, sum(u.storage_bytes)::int8 AS storage_bytes,
           max(u.revision) AS adjustments, min(u.made_at) AS closed_at, min(u.time_zone) AS time_zone
    FROM usage_month u JOIN page ON page.id = u.tenant_id
    WHERE u.month = $2::text::date
    GROUP BY u.tenant_id),
live AS (
    SELECT c.*, 0 AS adjustments, NULL::timestamptz AS closed_at, z.zone AS time_zone
    FROM zone z CROSS JOIN page CROSS JOIN LATERAL usage_compute(z.begins, z.ends, z.zone, page.id) AS c
    WHERE NOT EXISTS (SELECT FROM frozen f WHERE f.tenant_id = page.id))
SELECT t.id, t.created_at, t.name, $2::text, u.messages_out, u.recipients_out, u.bytes_out, u.messages_in, u.recipients_in, u.bytes_in, u.sealed, u.opened, u.held, u.refused, u.domains, u.domain_days, u.storage_bytes, u.adjustments::int8,
       u.closed_at, u.time_zone
FROM (SELECT * FROM frozen UNION ALL SELECT tenant_id, messages_out, recipients_out, bytes_out, messages_in, recipients_in, bytes_in, sealed, opened, held, refused, domains, domain_days, storage_bytes, adjustments, closed_at, time_zone FROM live) AS u
JOIN page t ON t.id = u.tenant_id
ORDER BY t.created_at, t.id
