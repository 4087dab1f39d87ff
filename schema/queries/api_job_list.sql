SELECT id, created_at, tenant_id, kind, state, priority, attempts, max_attempts, run_at, cancel,
       last_error, result::text, finished_at
FROM job
WHERE tenant_id = $1::text
  AND ($2::text IS NULL OR state = $2::text)
  AND ($3::text IS NULL OR kind = $3::text)
  AND ($4::timestamptz IS NULL OR (created_at, id) < ($4::timestamptz, $5::text))
ORDER BY created_at DESC, id DESC LIMIT $6::int8
