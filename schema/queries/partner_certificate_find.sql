-- Who asks about changes (REQ-83) uses what is confirmed; who wants to approve of everything (REQ-54),
-- what is not waiting; others all but what was refused. What waits is named all the same, for whoever
-- asks why. What its own owner here has had revoked is no partner's certificate any more, whatever a
-- revocation list that is still good for hours says (REQ-174, 200). What is another domain's alone (REQ-180)
-- is none of ours. Those of CAs first; then the newest, or where a known one stays (pin) the one that is
-- known longest (and, as our caller sees to, has not expired).
WITH known AS (
    SELECT der, sha256, source, authority, not_before, not_after, stored_at,
        (($3::bool OR $4::bool) AND state <> 'active') OR ($4 AND NOT confirmed) AS waits
    FROM partner_certificate
    WHERE domain = $1::text AND state <> 'refused' AND (relying_id IS NULL OR relying_id = $6::text))
SELECT der, waits, authority, not_after FROM known k
WHERE NOT EXISTS (SELECT FROM certificate c WHERE c.sha256 = k.sha256 AND c.state = 'revoked')
  AND NOT EXISTS (SELECT FROM partner_certificate r
       WHERE r.sha256 = k.sha256 AND r.domain = $1 AND r.state = 'refused')
  AND (NOT $2::bool OR EXISTS (SELECT FROM known m
       WHERE m.source IN ('mail', 'api') AND NOT m.waits))
ORDER BY authority DESC, CASE WHEN $5::bool THEN stored_at END, not_before DESC, sha256
