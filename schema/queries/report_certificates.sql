-- Those that were in use at the end of the period, by the day on which they end.
SELECT coalesce(jsonb_agg(jsonb_build_array(d.name, c.serial, c.issuer,
           to_char(c.not_before AT TIME ZONE $4::text, 'YYYY-MM-DD'),
           to_char(c.not_after AT TIME ZONE $4::text, 'YYYY-MM-DD'),
           floor(extract(epoch FROM c.not_after - $3::timestamptz) / 86400)::int8)
       ORDER BY c.not_after, d.name COLLATE "C", c.serial COLLATE "C"), '[]')::text
FROM certificate c JOIN domain d ON d.id = c.domain_id
WHERE c.state = 'active' AND c.created_at < $3::timestamptz AND $2::timestamptz IS NOT NULL
  AND ($1::text IS NULL OR c.tenant_id = $1::text)
