SELECT o.id, o.tenant_id, o.domain_id, d.name, d.state, t.state, o.authority_id, o.reason, o.state,
       o.explanation, o.key_id, o.certificate_id, o.chain, o.attempts, o.polls, o.next_at,
       o.created_at,
       EXISTS (SELECT 1 FROM certificate c WHERE c.domain_id = o.domain_id
               AND c.authority_id = o.authority_id AND c.not_after > $2::timestamptz)
FROM certificate_order o JOIN domain d ON d.id = o.domain_id JOIN tenant t ON t.id = o.tenant_id
WHERE o.id = $1::text
