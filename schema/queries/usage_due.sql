-- The earliest month behind $4 that ended $2 ms before $1 (the time) or earlier, its zone ($3), and the tenants that were
-- there and for whom it is not closed.
WITH bound AS (
    SELECT date_trunc('month', min(created_at) AT TIME ZONE $3::text) AS first FROM tenant),
due AS (
    SELECT s.at::date AS month, (s.at + interval '1 month') AT TIME ZONE $3 AS ends
    FROM bound, generate_series(first, $1::timestamptz AT TIME ZONE $3, interval '1 month') AS s (at)
    WHERE (s.at + interval '1 month') AT TIME ZONE $3 <= $1 - $2::int8 * interval '1 millisecond'
      AND s.at::date > $4::text::date
      AND EXISTS (SELECT FROM tenant t WHERE t.created_at < (s.at + interval '1 month') AT TIME ZONE $3
                    AND NOT EXISTS (SELECT FROM usage_month u
                                    WHERE u.tenant_id = t.id AND u.month = s.at::date))
    ORDER BY s.at LIMIT 1)
SELECT due.month::text, $3::text, t.id
FROM due JOIN tenant t ON t.created_at < due.ends
WHERE NOT EXISTS (SELECT FROM usage_month u WHERE u.tenant_id = t.id AND u.month = due.month)
ORDER BY t.id
