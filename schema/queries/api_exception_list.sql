SELECT id, created_at, tenant_id, domain_id, partner, description, expires_at
FROM smime_exception
WHERE tenant_id = $1::text AND domain_id = $2::text
  AND ($3::timestamptz IS NULL OR (created_at, id) > ($3::timestamptz, $4::text))
ORDER BY created_at, id LIMIT $5::int8
