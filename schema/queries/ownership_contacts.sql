SELECT 'postmaster@' || d.name FROM domain d
WHERE d.tenant_id = $1::text AND d.state IN ('attested', 'verified')
ORDER BY d.id <> $2::text, d.created_at, d.id LIMIT $3::int8
