SELECT lpad(t.id::text, 20, '0'), to_jsonb(t)::text
FROM audit t WHERE t.tenant_id = $1::text AND lpad(t.id::text, 20, '0') > $2::text
ORDER BY lpad(t.id::text, 20, '0') LIMIT $3::int4
