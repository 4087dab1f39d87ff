-- A dead one again from its first attempt; one that waits for its next attempt at once.
UPDATE job
SET state = 'queued', attempts = CASE state WHEN 'dead' THEN 0 ELSE attempts END, run_at = $3::timestamptz,
    finished_at = NULL
WHERE id = $2::text AND ($1::text IS NULL OR tenant_id = $1::text)
  AND (state = 'dead' OR state = 'queued' AND NOT cancel)
