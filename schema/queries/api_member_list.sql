SELECT id, created_at, name, environment, source
FROM member_domain
WHERE ($1::timestamptz IS NULL OR (created_at, id) > ($1::timestamptz, $2::text))
  AND ($4::text IS NULL OR name = $4) AND ($5::text IS NULL OR environment = $5)
  AND ($6::text IS NULL OR source = $6)
ORDER BY created_at, id LIMIT $3::int8
