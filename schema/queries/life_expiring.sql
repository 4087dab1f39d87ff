-- Domains in service whose last certificate ends by then and has no successor.
SELECT d.id, d.tenant_id
FROM domain d JOIN tenant t ON t.id = d.tenant_id
WHERE d.state IN ('attested', 'verified') AND t.state = 'active'
  AND EXISTS (SELECT 1 FROM certificate c WHERE c.domain_id = d.id AND c.state = 'active'
              AND c.not_after <= $1::timestamptz)
  AND NOT EXISTS (SELECT 1 FROM certificate c WHERE c.domain_id = d.id
                  AND c.state IN ('installed', 'active') AND c.not_after > $1::timestamptz)
  AND ($2::text IS NULL OR d.id > $2::text)
ORDER BY d.id LIMIT $3::int8
