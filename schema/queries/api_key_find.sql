SELECT id, created_at, tenant_id, domain_id, kind, algorithm, state, spki, spki_sha256, updated_at, csr
FROM hsm_key WHERE tenant_id = $1::text AND domain_id = $2::text AND id = $3::text
