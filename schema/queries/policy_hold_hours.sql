-- The level nearest to the domain has the say.
SELECT (p.settings->>'hold_lifetime_hours')::int8
FROM domain d JOIN policy p ON p.tenant_id IS NULL
    OR (p.tenant_id = d.tenant_id AND (p.domain_id IS NULL OR p.domain_id = d.id))
WHERE d.id = $1::text AND p.settings ? 'hold_lifetime_hours'
ORDER BY p.domain_id NULLS LAST, p.tenant_id NULLS LAST LIMIT 1
