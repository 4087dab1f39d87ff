-- From the platform down: the last one that sets a value has the say.
SELECT tenant_id, domain_id, settings::text, updated_at
FROM policy
WHERE (tenant_id IS NULL)
   OR (tenant_id = $1::text AND (domain_id IS NULL OR domain_id = $2::text))
ORDER BY tenant_id NULLS FIRST, domain_id NULLS FIRST
