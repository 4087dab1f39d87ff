-- Certificates that have not ended, of domains or tenants that have.
SELECT c.id, c.tenant_id
FROM certificate c JOIN domain d ON d.id = c.domain_id JOIN tenant t ON t.id = d.tenant_id
WHERE (d.state = 'revoked' OR t.state = 'closed') AND c.state <> 'revoked'
  AND c.not_after > $1::timestamptz AND ($2::text IS NULL OR c.id > $2::text)
ORDER BY c.id LIMIT $3::int8
