SELECT id, created_at, name, method, est_url, tls_ca_pem, authentication, account, credential,
       renewal_lead_days::int8, key_algorithm, key_kind, revocation_url, directory_id, is_default,
       updated_at
FROM certificate_authority
WHERE ($1::timestamptz IS NULL OR (created_at, id) > ($1::timestamptz, $2::text))
ORDER BY created_at, id LIMIT $3::int8
