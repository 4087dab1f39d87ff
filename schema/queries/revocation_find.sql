SELECT r.id, r.tenant_id, r.domain_id, d.name, r.certificate_id, r.reason, r.state, r.explanation,
       r.requested_at, r.listed_at, r.removed_at, r.created_at, c.der, c.chain, c.serial,
       c.not_after, coalesce(c.authority_id, d.authority_id, t.authority_id,
                             (SELECT id FROM certificate_authority WHERE is_default))
FROM certificate_revocation r JOIN domain d ON d.id = r.domain_id
JOIN tenant t ON t.id = r.tenant_id JOIN certificate c ON c.id = r.certificate_id
WHERE r.id = $1::text
