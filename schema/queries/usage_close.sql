-- Closes the month $2 of the zone $3 for the tenant $4, once. $1 is the time.
WITH period AS (
    SELECT $2::text::timestamp AT TIME ZONE $3::text AS begins,
           ($2::text::timestamp + interval '1 month') AT TIME ZONE $3::text AS ends)
INSERT INTO usage_month (tenant_id, month, revision, messages_out, recipients_out, bytes_out, messages_in, recipients_in, bytes_in, sealed, opened, held, refused, domains, domain_days, storage_bytes, time_zone, watermark, made_at)
SELECT c.tenant_id, $2::text::date, 0, c.messages_out, c.recipients_out, c.bytes_out, c.messages_in, c.recipients_in, c.bytes_in, c.sealed, c.opened, c.held, c.refused, c.domains, c.domain_days, c.storage_bytes, $3,
       pg_current_snapshot()::text, $1::timestamptz
FROM period p CROSS JOIN LATERAL usage_compute(p.begins, p.ends, $3, $4::text) AS c
WHERE NOT EXISTS (SELECT FROM usage_month u WHERE u.tenant_id = c.tenant_id AND u.month = $2::text::date)
