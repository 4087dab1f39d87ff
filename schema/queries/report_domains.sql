SELECT coalesce(jsonb_agg(jsonb_build_array(name, environment, state,
           to_char(created_at AT TIME ZONE $4::text, 'YYYY-MM-DD')) ORDER BY name COLLATE "C"), '[]')::text
FROM domain
WHERE created_at < $3::timestamptz AND $2::timestamptz IS NOT NULL AND ($1::text IS NULL OR tenant_id = $1::text)
