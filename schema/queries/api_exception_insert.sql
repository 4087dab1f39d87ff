INSERT INTO smime_exception (id, tenant_id, domain_id, partner, description, expires_at, created_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::timestamptz, $7::timestamptz)
RETURNING id, created_at, tenant_id, domain_id, partner, description, expires_at
