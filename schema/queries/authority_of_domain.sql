-- The domain's own, else its tenant's, else the default.
SELECT a.id, a.name, a.method, a.est_url, a.tls_ca_pem, a.authentication, a.account, a.credential,
       a.renewal_lead_days, a.key_algorithm, a.key_kind, a.revocation_url, s.url, s.base_dn,
       s.ca_pem, s.bind_dn, s.credential
FROM domain d JOIN tenant t ON t.id = d.tenant_id
JOIN certificate_authority a ON a.id = coalesce(d.authority_id, t.authority_id,
    (SELECT id FROM certificate_authority WHERE is_default))
LEFT JOIN directory_source s ON s.id = a.directory_id
WHERE d.id = $1::text
