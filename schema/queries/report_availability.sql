-- Minute by minute. A minute is up where each component that was looked at was found well on at least one
-- node; down where one was not; unmeasured where nothing was looked at. Maintenance counts as such
-- where it was announced before it began. What is no minute of the whole counts for the next one.
-- Before the service began, with its first look or its first customer, there is nothing to count.
WITH begun AS (
    SELECT greatest($2::timestamptz, least((SELECT min(minute) FROM availability_sample),
        (SELECT min(created_at) FROM tenant WHERE $1::text IS NULL OR id = $1::text))) AS at
), minute AS (
    SELECT generate_series(date_trunc('minute', at), $3::timestamptz - interval '1 minute', interval '1 minute') AS minute
    FROM begun
), measured AS (
    SELECT minute, bool_and(ok) AS up
    FROM (SELECT minute, component, bool_or(ok) AS ok FROM availability_sample
          WHERE minute >= $2::timestamptz AND minute < $3::timestamptz GROUP BY minute, component) AS c
    GROUP BY minute
), state AS (
    SELECT minute, (minute AT TIME ZONE $4::text)::date AS day,
           CASE WHEN EXISTS (SELECT FROM maintenance_window w WHERE w.begins_at <= minute AND minute < w.ends_at
                               AND w.created_at < w.begins_at) THEN 'maintenance'
                WHEN up THEN 'up' WHEN up IS NULL THEN 'unmeasured' ELSE 'down' END AS state
    FROM minute LEFT JOIN measured USING (minute)
), day AS (
    SELECT day, count(*) AS minutes, count(*) FILTER (WHERE state = 'up') AS up, count(*) FILTER (WHERE state = 'down') AS down,
           count(*) FILTER (WHERE state = 'maintenance') AS maintenance, count(*) FILTER (WHERE state = 'unmeasured') AS unmeasured
    FROM state GROUP BY day
), outage AS (
    SELECT day, state, min(minute) AS begins_at, count(*) AS minutes
    FROM (SELECT *, minute - row_number() OVER (PARTITION BY day, state ORDER BY minute) * interval '1 minute' AS island
          FROM state WHERE state <> 'up') AS s
    GROUP BY day, state, island
)
SELECT jsonb_build_object(
    'minutes', sum(minutes)::int8, 'up', sum(up)::int8, 'down', sum(down)::int8, 'maintenance', sum(maintenance)::int8,
    'unmeasured', sum(unmeasured)::int8,
    'days', coalesce(jsonb_agg(jsonb_build_array(to_char(day, 'YYYY-MM-DD'), minutes, up, down, unmeasured, maintenance) ORDER BY day), '[]'),
    'outages', (SELECT coalesce(jsonb_agg(jsonb_build_array(to_char(day, 'YYYY-MM-DD'),
                    to_char(begins_at AT TIME ZONE $4::text, 'HH24:MI'), state, minutes,
                    floor(extract(epoch FROM begins_at - (day::timestamp AT TIME ZONE $4::text)) / 60)::int8)
                    ORDER BY begins_at, state), '[]') FROM outage))::text
FROM day
