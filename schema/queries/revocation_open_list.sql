SELECT id, tenant_id FROM certificate_revocation
WHERE state <> 'confirmed' AND ($1::text IS NULL OR id > $1::text) ORDER BY id LIMIT $2::int8
