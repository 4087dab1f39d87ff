SELECT m.id, m.tenant_id, m.domain_id, d.name, m.reason, m.state, m.order_id, o.state,
       o.explanation, o.next_at, o.certificate_id, c.state, c.published, m.ordered_at,
       m.installed_at, m.released_at, m.revoked_at, m.published_at, m.removed_at, m.listed_at,
       m.created_at,
       (SELECT count(*) FROM certificate_revocation r
        WHERE r.compromise_id = m.id AND r.state = 'queued')::int8,
       (SELECT count(*) FROM certificate_revocation r
        WHERE r.compromise_id = m.id AND r.listed_at IS NULL)::int8,
       (SELECT count(*) FROM certificate_revocation r
        WHERE r.compromise_id = m.id AND r.removed_at IS NULL)::int8
FROM certificate_compromise m JOIN domain d ON d.id = m.domain_id
LEFT JOIN certificate_order o ON o.id = m.order_id
LEFT JOIN certificate c ON c.id = o.certificate_id
WHERE m.id = $1::text
