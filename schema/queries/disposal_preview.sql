SELECT class, relation, tenant_id, cutoff, rows, oldest
FROM disposal_preview($1::text, $2::timestamptz, $3::int8) ORDER BY class, relation, tenant_id NULLS FIRST
