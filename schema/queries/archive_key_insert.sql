INSERT INTO archive_key (id, quarter, kind, spki, blob, created_at)
VALUES ($1::text, $2::text, $3::text, $4::bytea, $5::bytea, $6::timestamptz)
ON CONFLICT (quarter) DO NOTHING
