SELECT id, created_at, domain, learned, signed_at, origin, by_hand IS NOT NULL,
    coalesce(by_hand, 0), reason, updated_at
FROM partner_capability
WHERE ($1::text IS NULL OR domain = $1::text)
  AND ($2::timestamptz IS NULL OR (created_at, id) > ($2::timestamptz, $3::text))
ORDER BY created_at, id LIMIT $4::int8
