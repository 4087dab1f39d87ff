SELECT a.id, a.name, a.method, a.est_url, a.tls_ca_pem, a.authentication, a.account, a.credential,
       a.renewal_lead_days, a.key_algorithm, a.key_kind, a.revocation_url, s.url, s.base_dn,
       s.ca_pem, s.bind_dn, s.credential
FROM certificate_authority a LEFT JOIN directory_source s ON s.id = a.directory_id
WHERE a.id = $1::text
