SELECT id, created_at, tenant_id, domain_id, certificate_id, compromise_id, reason, state, explanation,
       requested_at, listed_at, removed_at, updated_at
FROM certificate_revocation
WHERE tenant_id = $1::text AND domain_id = $2::text AND id = $3::text
