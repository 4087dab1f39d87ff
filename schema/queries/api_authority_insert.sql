INSERT INTO certificate_authority (id, name, method, est_url, tls_ca_pem, authentication, account,
    credential, renewal_lead_days, key_algorithm, key_kind, revocation_url, directory_id, is_default,
    created_at, updated_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text,
        $9::int4, $10::text, $11::text, $12::text, $13::text, $14::bool, $15::timestamptz, $15)
RETURNING id, created_at, name, method, est_url, tls_ca_pem, authentication, account, credential,
       renewal_lead_days::int8, key_algorithm, key_kind, revocation_url, directory_id, is_default,
       updated_at
