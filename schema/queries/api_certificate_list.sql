SELECT id, created_at, tenant_id, domain_id, key_id, state, der, chain, sha256, subject, issuer,
       serial, not_before, not_after, updated_at, authority_id, renew_at, published, published_at
FROM certificate
WHERE tenant_id = $1::text AND domain_id = $2::text
  AND ($3::timestamptz IS NULL OR (created_at, id) > ($3::timestamptz, $4::text))
ORDER BY created_at, id LIMIT $5::int8
