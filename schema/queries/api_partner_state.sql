UPDATE partner_certificate SET state = $2::text, confirmed = confirmed OR $2::text = 'active'
WHERE id = $1::text
RETURNING id, fetched_at, domain, der, sha256, source, origin, state, not_before, not_after,
       relying_id
