-- A dead one has been given up already. Of one that waits a worker writes what its kind writes when
-- it is given up; one at work is not tried again.
UPDATE job
SET cancel = true, run_at = CASE state WHEN 'queued' THEN $3::timestamptz ELSE run_at END,
    state = CASE state WHEN 'dead' THEN 'cancelled' ELSE state END
WHERE id = $2::text AND ($1::text IS NULL OR tenant_id = $1::text)
  AND state IN ('queued', 'running', 'dead')
