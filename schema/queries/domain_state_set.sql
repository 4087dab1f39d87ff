UPDATE domain SET state = $2::text, updated_at = $3::timestamptz WHERE id = $1::text
