UPDATE tenant SET authority_id = $2::text, updated_at = $3::timestamptz WHERE id = $1::text
