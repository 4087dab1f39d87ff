-- The one that waits or is at work.
SELECT id, created_at, tenant_id, kind, state, priority, attempts, max_attempts, run_at, cancel,
       last_error, result::text, finished_at
FROM job
WHERE unique_key = $1::text AND state IN ('queued', 'running')
