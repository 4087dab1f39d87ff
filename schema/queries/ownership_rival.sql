SELECT id, tenant_id, state FROM domain
WHERE name = $1::text AND id <> $2::text AND state IN ('attested', 'verified', 'suspended')
FOR UPDATE
