INSERT INTO partner_certificate
    (id, sha256, domain, der, source, origin, not_before, not_after, fetched_at, stored_at, state)
VALUES ($1::text, sha256($3::bytea), $2::text, $3, 'api', $4::text, $5::timestamptz,
        $6::timestamptz, $7::timestamptz, $7, 'active')
RETURNING id, fetched_at, domain, der, sha256, source, origin, state, not_before, not_after,
       relying_id
