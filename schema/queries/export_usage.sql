SELECT to_char(t.month, 'YYYY-MM') || to_char(t.revision, '/FM0000000000'), (to_jsonb(t) - 'watermark')::text
FROM usage_month t WHERE tenant_id = $1::text AND to_char(t.month, 'YYYY-MM') || to_char(t.revision, '/FM0000000000') > $2::text
ORDER BY 1 LIMIT $3::int4
