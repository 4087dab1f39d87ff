SELECT id, created_at, begins_at, ends_at, words, created_by
FROM maintenance_window
WHERE ($1::timestamptz IS NULL OR (created_at, id) < ($1::timestamptz, $2::text))
ORDER BY created_at DESC, id DESC LIMIT $3::int8
