-- What its own owner here has had revoked is no partner's certificate any more, whatever a revocation
-- list that is still good for hours says (REQ-174, 200).
SELECT der FROM partner_certificate p WHERE domain = $1::text AND state = 'active'
    AND NOT EXISTS (SELECT FROM certificate c WHERE c.sha256 = p.sha256 AND c.state = 'revoked')
    AND (NOT $2::bool OR EXISTS (SELECT FROM partner_certificate m
        WHERE m.domain = $1::text AND m.state = 'active' AND m.source IN ('mail', 'api')))
ORDER BY not_before DESC, sha256
