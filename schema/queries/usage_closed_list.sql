-- Months that are closed and began since $1, each in the zones it was closed in.
SELECT DISTINCT month::text, time_zone FROM usage_month WHERE month >= $1::timestamptz::date ORDER BY 1, 2
