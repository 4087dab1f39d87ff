SELECT id, created_at, url, base_dn, ca_pem, position
FROM directory_source
WHERE $1::timestamptz IS NULL OR (created_at, id) > ($1::timestamptz, $2::text)
ORDER BY created_at, id LIMIT $3::int8
