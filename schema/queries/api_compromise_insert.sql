INSERT INTO certificate_compromise
    (id, tenant_id, domain_id, reason, state, created_at, updated_at)
SELECT $1::text, tenant_id, id, $4::text, 'running', $5::timestamptz, $5
FROM domain WHERE id = $3::text AND tenant_id = $2::text
ON CONFLICT (domain_id) WHERE state = 'running' DO NOTHING
