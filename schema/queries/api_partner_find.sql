SELECT id, fetched_at, domain, der, sha256, source, origin, state, not_before, not_after,
       relying_id
FROM partner_certificate WHERE id = $1::text
