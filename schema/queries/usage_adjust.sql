-- What came to light of the months closed since $2, as far as their rows were not disposed of since: a
-- further revision with the difference. $1 is the time. Each month in the zone it was closed in.
WITH sum AS (
    SELECT tenant_id, month, min(time_zone) AS zone, max(revision) AS revision, sum(messages_out) AS messages_out, sum(recipients_out) AS recipients_out, sum(bytes_out) AS bytes_out, sum(messages_in) AS messages_in, sum(recipients_in) AS recipients_in, sum(bytes_in) AS bytes_in, sum(sealed) AS sealed, sum(opened) AS opened, sum(held) AS held, sum(refused) AS refused, sum(domains) AS domains, sum(domain_days) AS domain_days
    FROM usage_month WHERE month >= $2::timestamptz::date GROUP BY tenant_id, month),
month AS (
    SELECT DISTINCT month, zone, month::timestamp AT TIME ZONE zone AS begins,
           (month + interval '1 month') AT TIME ZONE zone AS ends FROM sum)
INSERT INTO usage_month (tenant_id, month, revision, messages_out, recipients_out, bytes_out, messages_in, recipients_in, bytes_in, sealed, opened, held, refused, domains, domain_days, storage_bytes, time_zone, watermark, made_at)
SELECT s.tenant_id, s.month, s.revision + 1, c.messages_out - s.messages_out, c.recipients_out - s.recipients_out, c.bytes_out - s.bytes_out, c.messages_in - s.messages_in, c.recipients_in - s.recipients_in, c.bytes_in - s.bytes_in, c.sealed - s.sealed, c.opened - s.opened, c.held - s.held, c.refused - s.refused, c.domains - s.domains, c.domain_days - s.domain_days, 0, s.zone, pg_current_snapshot()::text,
       $1::timestamptz
FROM month m CROSS JOIN LATERAL usage_compute(m.begins, m.ends, m.zone, NULL) AS c
JOIN sum s ON s.tenant_id = c.tenant_id AND s.month = m.month AND s.zone = m.zone
WHERE (c.messages_out, c.recipients_out, c.bytes_out, c.messages_in, c.recipients_in, c.bytes_in, c.sealed, c.opened, c.held, c.refused, c.domains, c.domain_days) <> (s.messages_out, s.recipients_out, s.bytes_out, s.messages_in, s.recipients_in, s.bytes_in, s.sealed, s.opened, s.held, s.refused, s.domains, s.domain_days)
  AND NOT EXISTS (SELECT FROM disposal d
                  WHERE d.class = 'messages' AND (d.tenant_id IS NULL OR d.tenant_id = s.tenant_id)
                    AND d.oldest < m.ends AND d.newest >= m.begins)
