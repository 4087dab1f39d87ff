SELECT id, created_at, tenant_id, domain_id, partner, description, expires_at
FROM smime_exception WHERE tenant_id = $1::text AND domain_id = $2::text AND id = $3::text
