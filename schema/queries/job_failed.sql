UPDATE job
SET state = CASE WHEN $3::timestamptz IS NULL THEN 'failed' ELSE 'queued' END,
    run_at = coalesce($3::timestamptz, run_at), last_error = $2::text, lease_until = NULL,
    finished_at = CASE WHEN $3::timestamptz IS NULL THEN $4::timestamptz END
WHERE id = $1::text AND state = 'running'
