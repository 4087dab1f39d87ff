UPDATE retention_class SET months = $2::int4, floor_months = $3::int4, ceiling_months = $4::int4,
       updated_at = $5::timestamptz
WHERE class = $1::text
