-- The domain stays: what was proved for one domain is never handed to another. What people decided
-- about it (state) stays too.
INSERT INTO partner_certificate
    (id, sha256, domain, der, source, origin, not_before, not_after, fetched_at)
VALUES ($8::text, sha256($2::bytea), $1::text, $2, $3::text, $4::text, $5::timestamptz,
        $6::timestamptz, $7::timestamptz)
ON CONFLICT (sha256, domain) DO UPDATE
    SET source = excluded.source, origin = excluded.origin, fetched_at = excluded.fetched_at
    WHERE partner_certificate.fetched_at < excluded.fetched_at
