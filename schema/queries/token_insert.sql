INSERT INTO api_token (id, tenant_id, role, name, hash, created_at, expires_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::bytea, $6::timestamptz, $7::timestamptz)
