SELECT id, created_at, tenant_id, kind, state, attempts, max_attempts, run_at, last_error,
          result::text, finished_at
FROM job
WHERE tenant_id = $1::text
  AND ($2::timestamptz IS NULL OR (created_at, id) < ($2::timestamptz, $3::text))
ORDER BY created_at DESC, id DESC LIMIT $4::int8
