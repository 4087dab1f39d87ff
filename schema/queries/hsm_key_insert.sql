INSERT INTO hsm_key (id, tenant_id, domain_id, class, kind, algorithm, state, created_at, updated_at)
VALUES ($1::text, $2::text, $3::text, 'dca', $4::text, $5::text, 'pending', $6::timestamptz,
        $6::timestamptz)
