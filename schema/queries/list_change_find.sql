SELECT list_id, version FROM list_change WHERE id = $1::text
