-- Waits for something outside: not a failure, so the attempts begin anew.
UPDATE job
SET state = 'queued', attempts = 0, run_at = $2::timestamptz, last_error = $3::text,
    lease_until = NULL
WHERE id = $1::text AND state = 'running'
