INSERT INTO certificate_order (id, tenant_id, domain_id, authority_id, reason, state, key_id,
                               created_at, updated_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::timestamptz,
        $8::timestamptz)
