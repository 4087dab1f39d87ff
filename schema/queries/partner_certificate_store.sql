-- The domain stays: what was proved for one domain is never handed to another. What people decided
-- about it (state, confirmed) stays too. $9 everything waits for approval (REQ-54), $10 a change does
-- (REQ-83): one that is not the first of its domain and that nobody has approved of. $12: for whom alone it is
-- stored (REQ-180); what is for others alone is not looked at, but what was refused is refused to all. What its own owner
-- here has had revoked is used by nobody, as in partner_certificate_find.sql (REQ-174, 200).
WITH was AS (
    SELECT state FROM partner_certificate WHERE domain = $1::text AND sha256 = sha256($2::bytea)
        AND relying_id IS NOT DISTINCT FROM $12::text
), refused AS (
    SELECT EXISTS (SELECT FROM partner_certificate
        WHERE domain = $1::text AND sha256 = sha256($2::bytea) AND state = 'refused') AS yes
), revoked AS (
    SELECT EXISTS (SELECT FROM certificate c WHERE c.sha256 = sha256($2::bytea) AND c.state = 'revoked') AS yes
), first AS (
    SELECT $11::bool OR NOT EXISTS (SELECT FROM partner_certificate
        WHERE domain = $1::text AND NOT authority AND state <> 'refused'
          AND (relying_id IS NULL OR relying_id = $12)
          AND sha256 <> sha256($2::bytea)) AS yes)
INSERT INTO partner_certificate AS p
    (id, sha256, domain, der, source, origin, not_before, not_after, fetched_at, stored_at,
     authority, confirmed, state, relying_id)
SELECT $8::text, sha256($2::bytea), $1::text, $2, $3::text, $4::text, $5::timestamptz,
       $6::timestamptz, $7::timestamptz, $7, $11, first.yes,
       CASE WHEN NOT $11 AND ($9::bool OR ($10::bool AND NOT first.yes)) THEN 'pending'
            ELSE 'active' END, $12
FROM first
ON CONFLICT (sha256, domain, relying_id) DO UPDATE
    SET source = CASE WHEN p.fetched_at < excluded.fetched_at THEN excluded.source ELSE p.source END,
        origin = CASE WHEN p.fetched_at < excluded.fetched_at THEN excluded.origin ELSE p.origin END,
        fetched_at = greatest(p.fetched_at, excluded.fetched_at),
        state = CASE WHEN $10 AND p.state = 'active' AND NOT p.confirmed THEN 'pending'
                     ELSE p.state END
RETURNING p.id, NOT (SELECT yes FROM refused) AND NOT (SELECT yes FROM revoked)
        AND CASE WHEN $9 OR $10 THEN p.state = 'active' ELSE p.state <> 'refused' END,
    p.state = 'pending' AND coalesce((SELECT state FROM was), '') <> 'pending'
