-- What came to light of the month $2, which was closed in the zone $3 for the tenant $4: a further revision with the
-- difference, if its rows were not disposed of since. $1 is the time.
WITH period AS (
    SELECT $2::text::timestamp AT TIME ZONE $3::text AS begins,
           ($2::text::timestamp + interval '1 month') AT TIME ZONE $3::text AS ends),
sum AS (
    SELECT tenant_id, max(revision) AS revision, sum(messages_out) AS messages_out, sum(recipients_out) AS recipients_out, sum(bytes_out) AS bytes_out, sum(messages_in) AS messages_in, sum(recipients_in) AS recipients_in, sum(bytes_in) AS bytes_in, sum(sealed) AS sealed, sum(opened) AS opened, sum(held) AS held, sum(refused) AS refused, sum(domains) AS domains, sum(domain_days) AS domain_days
    FROM usage_month WHERE month = $2::text::date AND time_zone = $3::text AND tenant_id = $4::text GROUP BY tenant_id),
gone AS MATERIALIZED (
    SELECT DISTINCT d.tenant_id FROM disposal d, period p
    WHERE d.class = 'messages' AND d.oldest < p.ends AND d.newest >= p.begins)
INSERT INTO usage_month (tenant_id, month, revision, messages_out, recipients_out, bytes_out, messages_in, recipients_in, bytes_in, sealed, opened, held, refused, domains, domain_days, storage_bytes, time_zone, watermark, made_at)
SELECT s.tenant_id, $2::text::date, s.revision + 1, c.messages_out - s.messages_out, c.recipients_out - s.recipients_out, c.bytes_out - s.bytes_out, c.messages_in - s.messages_in, c.recipients_in - s.recipients_in, c.bytes_in - s.bytes_in, c.sealed - s.sealed, c.opened - s.opened, c.held - s.held, c.refused - s.refused, c.domains - s.domains, c.domain_days - s.domain_days, 0, $3::text, pg_current_snapshot()::text,
       $1::timestamptz
FROM period p CROSS JOIN LATERAL usage_compute(p.begins, p.ends, $3::text, $4::text, false) AS c
JOIN sum s ON s.tenant_id = c.tenant_id
WHERE (c.messages_out, c.recipients_out, c.bytes_out, c.messages_in, c.recipients_in, c.bytes_in, c.sealed, c.opened, c.held, c.refused, c.domains, c.domain_days) <> (s.messages_out, s.recipients_out, s.bytes_out, s.messages_in, s.recipients_in, s.bytes_in, s.sealed, s.opened, s.held, s.refused, s.domains, s.domain_days)
  AND NOT EXISTS (SELECT FROM gone g WHERE g.tenant_id IS NULL OR g.tenant_id = s.tenant_id)
