INSERT INTO partner_capability AS p
    (id, domain, learned, origin, by_hand, reason, created_at, updated_at)
VALUES ($1::text, $2::text, 0, '', $3::int8, $4::text, $5::timestamptz, $5)
ON CONFLICT (domain) DO UPDATE
    SET by_hand = excluded.by_hand, reason = excluded.reason, updated_at = excluded.updated_at
RETURNING id, created_at, domain, learned, signed_at, origin, by_hand IS NOT NULL,
    coalesce(by_hand, 0), reason, updated_at
