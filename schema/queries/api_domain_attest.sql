INSERT INTO domain_ownership (domain_id, tenant_id, method, challenge, verified_at)
VALUES ($1::text, $2::text, 'attested', '', $3::timestamptz)
