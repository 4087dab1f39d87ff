-- $1 NULL: whosever it is (the provider).
SELECT id, created_at, tenant_id, kind, state, priority, attempts, max_attempts, run_at, cancel,
       last_error, result::text, finished_at
FROM job
WHERE id = $2::text AND ($1::text IS NULL OR tenant_id = $1::text)
