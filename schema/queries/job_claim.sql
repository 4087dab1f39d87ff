-- First what a lost worker left: a lease that ran out, or a job that is marked as this worker's own
-- (it does one at a time, so the answer to its COMMIT was lost). Leases are in real time ($2).
-- Then by priority, and within one the tenants in turn: those behind the one served last ($4), then
-- from the first on again; of a tenant the job that has been due longest. step counts priorities
-- and, within each, the two rounds.
WITH lost AS (
    SELECT id FROM job
    WHERE state = 'running' AND (lease_until <= $2::timestamptz OR worker = $3::text)
    ORDER BY lease_until LIMIT 1 FOR UPDATE SKIP LOCKED),
next AS (
    SELECT found.id
    FROM generate_series(0, 19) AS step, LATERAL (
        SELECT id FROM job
        WHERE state = 'queued' AND run_at <= $1::timestamptz AND priority = step / 2
          AND coalesce(tenant_id::text, '-') COLLATE "C"
              > CASE step % 2 WHEN 0 THEN $4::text ELSE '' END COLLATE "C"
        ORDER BY coalesce(tenant_id::text, '-') COLLATE "C", run_at
        LIMIT 1 FOR UPDATE SKIP LOCKED) AS found
    LIMIT 1)
UPDATE job j
SET state = 'running', attempts = attempts + 1, worker = $3::text, lease_until = $5::timestamptz
WHERE j.id = coalesce((SELECT id FROM lost), (SELECT id FROM next))
RETURNING j.id, j.tenant_id, j.kind, j.payload::text, j.attempts, j.max_attempts, j.cancel
