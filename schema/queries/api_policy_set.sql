INSERT INTO policy (id, tenant_id, domain_id, settings, updated_at)
VALUES ($1::text, $2::text, $3::text, $4::jsonb, $5::timestamptz)
ON CONFLICT (tenant_id, domain_id) DO UPDATE
    SET settings = excluded.settings, updated_at = excluded.updated_at
