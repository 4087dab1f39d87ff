INSERT INTO availability_sample AS s (minute, component, node, ok, detail)
VALUES ($1::timestamptz, $2::text, $3::text, $4::bool, $5::text)
ON CONFLICT (minute, component, node) DO UPDATE
SET ok = s.ok OR excluded.ok, detail = CASE WHEN s.ok OR excluded.ok THEN '' ELSE excluded.detail END
