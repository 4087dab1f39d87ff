-- Without their texts, which may be long.
SELECT id, created_at, kind, title, version, url, sha256, required, valid_from, withdrawn_at, '', '', NULL::timestamptz, NULL::text
FROM document
WHERE ($1::timestamptz IS NULL OR (created_at, id) > ($1::timestamptz, $2::text))
ORDER BY created_at, id LIMIT $3::int8
