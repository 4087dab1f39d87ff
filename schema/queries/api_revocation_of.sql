SELECT id FROM certificate_revocation
WHERE tenant_id = $1::text AND domain_id = $2::text AND certificate_id = $3::text
