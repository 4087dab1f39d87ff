UPDATE certificate_authority
SET name = $2::text, method = $3::text, est_url = $4::text, tls_ca_pem = $5::text,
    authentication = $6::text, account = $7::text, credential = $8::text,
    renewal_lead_days = $9::int4, key_algorithm = $10::text, key_kind = $11::text,
    revocation_url = $12::text, directory_id = $13::text, is_default = $14::bool,
    updated_at = $15::timestamptz
WHERE id = $1::text
RETURNING id, created_at, name, method, est_url, tls_ca_pem, authentication, account, credential,
       renewal_lead_days::int8, key_algorithm, key_kind, revocation_url, directory_id, is_default,
       updated_at
