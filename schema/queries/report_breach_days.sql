-- Messages a day with a breach, a warning, or that had to be held; one may have several.
WITH day AS (
    SELECT generate_series(date_trunc('day', $2::timestamptz AT TIME ZONE $4::text),
                           date_trunc('day', ($3::timestamptz - interval '1 microsecond') AT TIME ZONE $4::text),
                           interval '1 day')::date AS day
), counted AS (
    SELECT (at AT TIME ZONE $4::text)::date AS day,
           count(DISTINCT msg_id) FILTER (WHERE level = 'breach') AS breaches,
           count(DISTINCT msg_id) FILTER (WHERE level = 'warning') AS warnings,
           count(DISTINCT msg_id) FILTER (WHERE level = 'delay') AS delays
    FROM breach_event
    WHERE at >= $2::timestamptz AND at < $3::timestamptz
      AND received_at >= $2::timestamptz - interval '70 days' AND received_at < $3::timestamptz
      AND ($1::text IS NULL OR tenant_id = $1::text)
    GROUP BY 1
)
SELECT jsonb_agg(jsonb_build_array(to_char(day, 'YYYY-MM-DD'), coalesce(breaches, 0), coalesce(warnings, 0),
                                   coalesce(delays, 0)) ORDER BY day)::text
FROM day LEFT JOIN counted USING (day)
