SELECT id, created_at, tenant_id, state, job_id, file, size_bytes, sha256, error, finished_at, expires_at
FROM tenant_export
WHERE tenant_id = $1::text
  AND ($2::timestamptz IS NULL OR (created_at, id) > ($2::timestamptz, $3::text))
ORDER BY created_at, id LIMIT $4::int8
