UPDATE tenant_export SET state = 'ready', file = $3::text, size_bytes = $4::int8, sha256 = $5::text,
    finished_at = $6::timestamptz, expires_at = $7::timestamptz
WHERE tenant_id = $1::text AND id = $2::text AND state = 'pending'
