INSERT INTO api_client_certificate (id, client_id, tenant_id, fingerprint, description, created_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::timestamptz)
RETURNING id, created_at, client_id, fingerprint, description
