-- Every tenant's and the platform's own.
SELECT id, created_at, tenant_id, kind, state, priority, attempts, max_attempts, run_at, cancel,
       last_error, result::text, finished_at
FROM job
WHERE ($1::text IS NULL OR state = $1::text)
  AND ($2::text IS NULL OR kind = $2::text)
  AND ($3::timestamptz IS NULL OR (created_at, id) < ($3::timestamptz, $4::text))
ORDER BY created_at DESC, id DESC LIMIT $5::int8
