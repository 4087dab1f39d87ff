SELECT k.id, k.tenant_id, k.domain_id, k.kind, k.algorithm, k.state, k.spki, k.blob, d.name, t.name,
       k.csr, k.created_at
FROM hsm_key k JOIN domain d ON d.id = k.domain_id JOIN tenant t ON t.id = k.tenant_id
WHERE k.spki_sha256 = sha256($2::bytea) AND k.domain_id = $1::text AND k.state = 'active'
