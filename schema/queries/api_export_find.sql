SELECT id, created_at, tenant_id, state, job_id, file, size_bytes, sha256, error, finished_at, expires_at
FROM tenant_export WHERE tenant_id = $1::text AND id = $2::text
