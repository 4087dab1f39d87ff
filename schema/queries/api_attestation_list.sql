SELECT id, created_at, requirement, words, name, title, valid_until, created_by, revoked_at
FROM attestation
WHERE ($1::timestamptz IS NULL OR (created_at, id) < ($1::timestamptz, $2::text))
  AND ($4::int8 = 0 OR requirement = $4)
ORDER BY created_at DESC, id DESC LIMIT $3::int8
