SELECT id, domain_id FROM certificate
WHERE tenant_id = $1::text AND state = 'active' AND not_after > $2::timestamptz ORDER BY id
