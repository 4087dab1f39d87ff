-- The domain stays: what was proved for one domain is never handed to another. What people decided
-- about it (state) stays too.
INSERT INTO partner_certificate AS p
    (id, sha256, domain, der, source, origin, not_before, not_after, fetched_at, state)
VALUES ($8::text, sha256($2::bytea), $1::text, $2, $3::text, $4::text, $5::timestamptz,
        $6::timestamptz, $7::timestamptz, CASE WHEN $9::bool THEN 'pending' ELSE 'active' END)
ON CONFLICT (sha256, domain) DO UPDATE
    SET source = CASE WHEN p.fetched_at < excluded.fetched_at THEN excluded.source ELSE p.source END,
        origin = CASE WHEN p.fetched_at < excluded.fetched_at THEN excluded.origin ELSE p.origin END,
        fetched_at = greatest(p.fetched_at, excluded.fetched_at)
RETURNING p.state = 'active'
