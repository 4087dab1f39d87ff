SELECT partitions_ensure(
    (($1::timestamptz AT TIME ZONE 'UTC') - interval '1 month')::date, 4)::text
