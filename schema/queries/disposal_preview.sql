SELECT class, relation, tenant_id, cutoff, rows, oldest
FROM disposal_preview($1::text, $2::timestamptz) ORDER BY class, relation, tenant_id NULLS FIRST
