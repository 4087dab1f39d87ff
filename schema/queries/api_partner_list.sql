SELECT id, fetched_at, domain, der, sha256, source, origin, state, not_before, not_after,
       relying_id
FROM partner_certificate
WHERE id IS NOT NULL AND ($1::text IS NULL OR domain = $1::text)
  AND ($2::text IS NULL OR state = $2::text)
  AND ($3::timestamptz IS NULL OR (fetched_at, id) > ($3::timestamptz, $4::text))
ORDER BY fetched_at, id LIMIT $5::int8
