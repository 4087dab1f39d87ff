SELECT disposal_rows($1::text, $2::text, $3::timestamptz, $4::int4)
