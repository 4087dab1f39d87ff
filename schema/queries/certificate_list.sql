SELECT c.id, c.tenant_id, c.domain_id, k.id, k.kind, k.blob, c.der, c.chain, c.not_before,
       c.not_after, c.state
FROM certificate c JOIN hsm_key k ON k.id = c.key_id
WHERE c.domain_id = $1::text AND k.state IN ('active', 'compromised')
ORDER BY c.not_before DESC, c.created_at DESC, c.id
