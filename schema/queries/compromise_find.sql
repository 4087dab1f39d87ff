SELECT m.id, m.tenant_id, m.domain_id, d.name, m.reason, m.state, m.order_id, o.state,
       o.explanation, o.next_at, c.id, c.state, c.published,
       coalesce(c.published_at, c.created_at), c.created_at, v.requested, v.listed, v.removed,
       m.ordered_at,
       m.installed_at, m.released_at, m.revoked_at, m.published_at, m.removed_at, m.listed_at,
       m.created_at, m.waits_for <> '', v.queued, v.unlisted, v.present
FROM certificate_compromise m JOIN domain d ON d.id = m.domain_id
LEFT JOIN certificate_order o ON o.id = m.order_id
-- The order's, or one that a person brought without an order.
LEFT JOIN certificate c ON c.id = coalesce(o.certificate_id,
    (SELECT n.id FROM certificate n
     WHERE n.domain_id = m.domain_id AND n.created_at >= m.created_at
       AND n.state IN ('installed', 'active')
     ORDER BY n.created_at DESC, n.id LIMIT 1))
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE r.state = 'queued')::int8 AS queued,
           count(*) FILTER (WHERE r.listed_at IS NULL)::int8 AS unlisted,
           count(*) FILTER (WHERE r.removed_at IS NULL)::int8 AS present,
           max(r.requested_at) AS requested, max(r.listed_at) AS listed,
           max(r.removed_at) AS removed
    FROM certificate_revocation r WHERE r.compromise_id = m.id) v
WHERE m.id = $1::text
