-- A row where the period that began at $2 has not been asked for yet. A period that lies further
-- ahead than the next one was taken before the clock was set back; $3 is the period's length.
INSERT INTO job_schedule AS s (kind, period, job_id)
VALUES ($1::text, $2::timestamptz, $4::text)
ON CONFLICT (kind) DO UPDATE SET period = excluded.period, job_id = excluded.job_id
WHERE s.period < excluded.period
   OR s.period > excluded.period + $3::int8 * interval '1 millisecond'
RETURNING kind
