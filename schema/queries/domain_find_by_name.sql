SELECT d.id, d.tenant_id, d.name, d.environment, d.state, t.name, t.state
FROM domain d JOIN tenant t ON t.id = d.tenant_id
WHERE d.name = $1::text AND d.state IN ('attested', 'verified', 'suspended')
