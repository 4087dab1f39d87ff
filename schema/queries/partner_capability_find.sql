SELECT id, created_at, domain, learned, signed_at, origin, by_hand IS NOT NULL,
    coalesce(by_hand, 0), reason, updated_at
FROM partner_capability WHERE domain = $1::text
