-- Each class; of a tenant ($1) with its own months.
SELECT c.class, c.months, c.floor_months, c.ceiling_months, c.about,
       greatest(c.floor_months, least(c.ceiling_months, coalesce(p.months, c.months))), p.months IS NOT NULL
FROM retention_class c LEFT JOIN retention_policy p ON p.class = c.class AND p.tenant_id = $1::text
ORDER BY c.class
