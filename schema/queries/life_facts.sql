-- What decides whether a domain needs an order: its newest certificate that signs or will sign, its
-- newest key, the order that is open, and until when a failed one is left alone.
SELECT d.tenant_id, d.name, d.state, t.state, c.id, c.not_before, c.not_after,
       coalesce(c.renew_at, c.not_after - interval '30 days'), k.id, k.created_at, k.algorithm, o.id,
       (SELECT max(f.next_at) FROM certificate_order f
        WHERE f.domain_id = d.id AND f.state = 'failed'
          AND f.created_at > coalesce(c.created_at, '-infinity'))
FROM domain d JOIN tenant t ON t.id = d.tenant_id
LEFT JOIN LATERAL (SELECT * FROM certificate x
    WHERE x.domain_id = d.id AND x.state IN ('installed', 'active') AND x.not_after > $2::timestamptz
    ORDER BY x.not_before DESC, x.created_at DESC LIMIT 1) c ON true
LEFT JOIN LATERAL (SELECT * FROM hsm_key x WHERE x.domain_id = d.id AND x.state = 'active'
    ORDER BY x.created_at DESC LIMIT 1) k ON true
LEFT JOIN certificate_order o ON o.domain_id = d.id AND o.finished_at IS NULL
WHERE d.id = $1::text
