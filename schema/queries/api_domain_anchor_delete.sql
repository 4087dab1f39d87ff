DELETE FROM domain_anchor WHERE tenant_id = $1::text AND domain_id = $2::text AND id = $3::text
