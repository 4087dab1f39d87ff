SELECT c.id, c.tenant_id, c.domain_id, d.name, c.key_id, c.state, c.der, c.chain, c.serial,
       c.not_before, c.not_after, c.created_at, c.authority_id, c.published
FROM certificate c JOIN domain d ON d.id = c.domain_id WHERE c.id = $1::text
