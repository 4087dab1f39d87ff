-- Closes the earliest month that ended $2 ms before $1 (the time) or earlier and is not closed, for $4 tenants at most
-- that were there, once. $3 is the zone. Each is counted by itself: the platform's month takes longer than a statement may.
WITH bound AS (
    SELECT date_trunc('month', min(created_at) AT TIME ZONE $3::text) AS first FROM tenant),
due AS (
    SELECT s.at::date AS month, s.at AT TIME ZONE $3 AS begins, (s.at + interval '1 month') AT TIME ZONE $3 AS ends
    FROM bound, generate_series(first, $1::timestamptz AT TIME ZONE $3, interval '1 month') AS s (at)
    WHERE (s.at + interval '1 month') AT TIME ZONE $3 <= $1 - $2::int8 * interval '1 millisecond'
      AND EXISTS (SELECT FROM tenant t WHERE t.created_at < (s.at + interval '1 month') AT TIME ZONE $3
                    AND NOT EXISTS (SELECT FROM usage_month u
                                    WHERE u.tenant_id = t.id AND u.month = s.at::date))
    ORDER BY s.at LIMIT 1),
portion AS MATERIALIZED (
    SELECT t.id FROM tenant t, due
    WHERE t.created_at < due.ends
      AND NOT EXISTS (SELECT FROM usage_month u WHERE u.tenant_id = t.id AND u.month = due.month)
    ORDER BY t.id LIMIT $4::int8)
INSERT INTO usage_month (tenant_id, month, revision, messages_out, recipients_out, bytes_out, messages_in, recipients_in, bytes_in, sealed, opened, held, refused, domains, domain_days, storage_bytes, time_zone, watermark, made_at)
SELECT c.tenant_id, due.month, 0, c.messages_out, c.recipients_out, c.bytes_out, c.messages_in, c.recipients_in, c.bytes_in, c.sealed, c.opened, c.held, c.refused, c.domains, c.domain_days, c.storage_bytes, $3,
       pg_current_snapshot()::text, $1
FROM due CROSS JOIN portion CROSS JOIN LATERAL usage_compute(due.begins, due.ends, $3, portion.id) AS c
