SELECT id, created_at, der, sha256, subject, not_after
FROM trust_anchor
WHERE $1::timestamptz IS NULL OR (created_at, id) > ($1::timestamptz, $2::text)
ORDER BY created_at, id LIMIT $3::int8
