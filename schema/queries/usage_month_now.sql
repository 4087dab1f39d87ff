-- The month of a time, in the zone of billing.
SELECT to_char($1::timestamptz AT TIME ZONE coalesce((SELECT time_zone FROM usage_zone), 'UTC'), 'YYYY-MM-01')
