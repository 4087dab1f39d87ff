INSERT INTO migration (version, name, checksum, applied_at)
VALUES ($1::int4, $2::text, $3::text, $4::timestamptz)
