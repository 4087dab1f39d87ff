INSERT INTO maintenance_window (id, begins_at, ends_at, words, created_at, created_by)
VALUES ($1::text, $2::timestamptz, $3::timestamptz, $4::text, $5::timestamptz, $6::text)
RETURNING id, created_at, begins_at, ends_at, words, created_by
