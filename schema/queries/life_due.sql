-- Domains that need an order, by the same rules as life_facts.sql and life.c.
SELECT d.id, d.tenant_id
FROM domain d JOIN tenant t ON t.id = d.tenant_id
WHERE d.state IN ('attested', 'verified') AND t.state = 'active'
  AND (d.authority_id IS NOT NULL OR t.authority_id IS NOT NULL
       OR EXISTS (SELECT 1 FROM certificate_authority WHERE is_default))
  AND NOT EXISTS (SELECT 1 FROM certificate_order o
                  WHERE o.domain_id = d.id AND o.finished_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM certificate c
                  WHERE c.domain_id = d.id AND c.state IN ('installed', 'active')
                    AND coalesce(c.renew_at, c.not_after - interval '30 days') > $1::timestamptz)
  AND NOT EXISTS (SELECT 1 FROM certificate_order f
                  WHERE f.domain_id = d.id AND f.state = 'failed' AND f.next_at > $1::timestamptz)
  AND ($2::text IS NULL OR d.id > $2::text)
ORDER BY d.id LIMIT $3::int8
