SELECT t.domain_id::text, (to_jsonb(t))::text
FROM next_hop t WHERE tenant_id = $1::text AND t.domain_id::text > $2::text
ORDER BY t.domain_id::text LIMIT $3::int4
