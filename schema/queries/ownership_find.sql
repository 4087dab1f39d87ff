SELECT d.id, d.tenant_id, d.name, d.state, o.challenge, o.asked_at, o.missing_since, o.attempts,
       o.notices
FROM domain d JOIN domain_ownership o ON o.domain_id = d.id
WHERE d.id = $1::text
