INSERT INTO domain_anchor (id, tenant_id, domain_id, der, sha256, subject, not_after, created_at)
VALUES ($1::text, $2::text, $3::text, $4::bytea, $5::bytea, $6::text, $7::timestamptz, $8::timestamptz)
RETURNING id, created_at, der, sha256, subject, not_after
