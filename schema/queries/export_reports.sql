SELECT t.id::text, (to_jsonb(t))::text
FROM report t WHERE tenant_id = $1::text AND t.id::text > $2::text
ORDER BY t.id::text LIMIT $3::int4
