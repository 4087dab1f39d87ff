SELECT state, digest FROM list_change WHERE list_id = $1::text
ORDER BY created_at DESC, id DESC LIMIT 1
