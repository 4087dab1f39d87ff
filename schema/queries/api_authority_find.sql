SELECT id, created_at, name, method, est_url, tls_ca_pem, authentication, account, credential,
       renewal_lead_days::int8, key_algorithm, key_kind, revocation_url, directory_id, is_default,
       updated_at
FROM certificate_authority WHERE id = $1::text
