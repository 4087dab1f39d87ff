INSERT INTO certificate
    (id, tenant_id, domain_id, key_id, state, der, chain, sha256, subject, issuer, serial,
     not_before, not_after, created_at, updated_at, authority_id, renew_at, published)
VALUES ($1::text, $2::text, $3::text, $4::text, $13::text, $5::bytea, $6::bytea[], sha256($5),
        $7::text, $8::text, $9::text, $10::timestamptz, $11::timestamptz, $12::timestamptz, $12,
        $14::text, $15::timestamptz, $16::text)
