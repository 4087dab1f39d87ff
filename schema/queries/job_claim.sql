-- A worker does one job at a time: one that is marked as its own was claimed without its knowing
-- (the answer to COMMIT was lost), and is taken at once.
WITH next AS (
    SELECT id FROM job
    WHERE (state = 'queued' AND run_at <= $1::timestamptz)
       OR (state = 'running' AND (lease_until <= $1::timestamptz OR worker = $3::text))
    ORDER BY run_at LIMIT 1 FOR UPDATE SKIP LOCKED)
UPDATE job j
SET state = 'running', attempts = attempts + 1, worker = $3::text,
    lease_until = $1::timestamptz + $2::int8 * interval '1 millisecond'
FROM next WHERE j.id = next.id
RETURNING j.id, j.tenant_id, j.kind, j.payload::text, j.attempts, j.max_attempts
