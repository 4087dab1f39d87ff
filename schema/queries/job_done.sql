UPDATE job
SET state = 'done', result = $2::text::jsonb, finished_at = $3::timestamptz, lease_until = NULL,
    last_error = ''
WHERE id = $1::text AND state = 'running'
