-- The newest signature has the say (REQ-84): an old mail sent again takes nothing back. Where it says
-- nothing new its time is kept all the same, if not every time. Only a certificate that is in use
-- teaches.
INSERT INTO partner_capability AS p
    (id, domain, learned, signed_at, origin, reason, created_at, updated_at)
SELECT $1::text, $2::text, $3::int8, $4::timestamptz, $5::text, '', $6::timestamptz, $6
WHERE EXISTS (SELECT FROM partner_certificate c
    WHERE c.domain = $2 AND c.sha256 = $7::bytea AND c.state = 'active' AND c.relying_id IS NULL)
ON CONFLICT (domain) DO UPDATE
    SET learned = excluded.learned, signed_at = excluded.signed_at, origin = excluded.origin,
        updated_at = CASE WHEN p.learned = excluded.learned THEN p.updated_at
                          ELSE excluded.updated_at END
    WHERE p.signed_at IS NULL OR p.signed_at < excluded.signed_at
