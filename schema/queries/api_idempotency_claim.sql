INSERT INTO idempotency_key AS k (caller, key, tenant_id, fingerprint, created_at, expires_at)
VALUES ($1::text, $2::text, $3::text, $4::bytea, $5::timestamptz, $6::timestamptz)
ON CONFLICT (caller, key) DO UPDATE
SET tenant_id = excluded.tenant_id, fingerprint = excluded.fingerprint, status = NULL,
    location = NULL, body = NULL, secret = NULL, created_at = excluded.created_at,
    expires_at = excluded.expires_at
WHERE k.expires_at <= excluded.created_at
