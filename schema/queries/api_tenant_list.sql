SELECT id, created_at, name, state, external_ref, state_reason, cancelled_at, ends_at, closed_at, updated_at
FROM tenant
WHERE ($1::text IS NULL OR name = $1::text) AND ($2::text IS NULL OR state = $2::text)
  AND ($3::text IS NULL OR external_ref = $3::text)
  AND ($4::timestamptz IS NULL OR (created_at, id) > ($4::timestamptz, $5::text))
ORDER BY created_at, id LIMIT $6::int8
