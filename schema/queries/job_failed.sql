-- For good ($3 is NULL), or until then. Who asked for its end gets that instead of another attempt.
UPDATE job
SET state = CASE WHEN cancel THEN 'cancelled' WHEN $3::timestamptz IS NULL THEN 'dead'
                 ELSE 'queued' END,
    run_at = CASE WHEN cancel THEN run_at ELSE coalesce($3::timestamptz, run_at) END,
    last_error = $2::text, lease_until = NULL,
    finished_at = CASE WHEN cancel OR $3::timestamptz IS NULL THEN $4::timestamptz END
WHERE id = $1::text AND state = 'running'
