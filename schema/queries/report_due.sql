-- Months of the zone whose ends lie between the two times; a whole month whose report was made while it
-- was not over yet is due too.
WITH month AS (
    SELECT to_char(local, 'YYYY-MM') AS period, (local + interval '1 month') AT TIME ZONE $1::text AS ends_at
    FROM generate_series(date_trunc('month', $2::timestamptz AT TIME ZONE $1) - interval '1 month',
                         date_trunc('month', $3::timestamptz AT TIME ZONE $1), interval '1 month') AS local
), subject AS (
    SELECT id AS tenant_id, created_at FROM tenant
    UNION ALL
    SELECT NULL, min(created_at) FROM tenant
)
SELECT s.tenant_id, k.kind, m.period
FROM month m, subject s,
     unnest(ARRAY['breach', 'compliance', 'availability', 'service', 'usage']) AS k (kind)
WHERE m.ends_at > $2 AND m.ends_at <= $3 AND s.created_at < m.ends_at
  AND NOT EXISTS (SELECT FROM report r
                  WHERE r.tenant_id IS NOT DISTINCT FROM s.tenant_id AND r.kind = k.kind
                    AND r.period = m.period AND r.state = 'current' AND r.complete)
ORDER BY m.period, s.tenant_id NULLS FIRST, k.kind
