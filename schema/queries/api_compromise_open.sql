SELECT id FROM certificate_compromise
WHERE tenant_id = $1::text AND domain_id = $2::text AND state = 'running'
