INSERT INTO certificate
    (id, tenant_id, domain_id, key_id, state, der, chain, sha256, subject, issuer, serial,
     not_before, not_after, created_at, updated_at)
VALUES ($1::text, $2::text, $3::text, $4::text, 'active', $5::bytea, $6::bytea[], sha256($5),
        $7::text, $8::text, $9::text, $10::timestamptz, $11::timestamptz, $12::timestamptz, $12)
