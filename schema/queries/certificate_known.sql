SELECT EXISTS (SELECT 1 FROM certificate
WHERE domain_id = $1::text AND sha256 = sha256($2::bytea))
