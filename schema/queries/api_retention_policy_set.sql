INSERT INTO retention_policy AS p (tenant_id, class, months, updated_at)
SELECT $1::text, c.class, $3::int4, $4::timestamptz FROM retention_class c
WHERE c.class = $2::text AND $3::int4 BETWEEN c.floor_months AND c.ceiling_months
ON CONFLICT (tenant_id, class) DO UPDATE SET months = excluded.months, updated_at = excluded.updated_at
