INSERT INTO certificate_revocation (id, tenant_id, domain_id, certificate_id, compromise_id, reason,
                                    state, created_at, updated_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, 'queued', $7::timestamptz, $7)
ON CONFLICT (certificate_id) DO NOTHING
