SELECT authority_id FROM domain WHERE tenant_id = $1::text AND id = $2::text
