-- Months that are closed and began since $1, the youngest first, each in the zones it was closed in and for each tenant.
SELECT DISTINCT month::text, time_zone, tenant_id FROM usage_month WHERE month >= $1::timestamptz::date
ORDER BY 1 DESC, 2, 3
