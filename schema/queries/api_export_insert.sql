INSERT INTO tenant_export (id, tenant_id, state, job_id, created_at, expires_at)
VALUES ($1::text, $2::text, 'pending', $3::text, $4::timestamptz, $5::timestamptz)
RETURNING id, created_at, tenant_id, state, job_id, file, size_bytes, sha256, error, finished_at, expires_at
