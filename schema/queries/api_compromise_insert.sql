INSERT INTO certificate_compromise
    (id, tenant_id, domain_id, reason, state, created_at, updated_at)
VALUES ($1::text, $2::text, $3::text, $4::text, 'running', $5::timestamptz, $5)
ON CONFLICT (domain_id) WHERE state = 'running' DO NOTHING
