SELECT k.id, k.tenant_id, k.domain_id, k.kind, k.algorithm, k.state, k.spki, k.blob, d.name, t.name,
       k.csr, k.created_at
FROM hsm_key k JOIN domain d ON d.id = k.domain_id JOIN tenant t ON t.id = k.tenant_id
WHERE k.id = $1::text
