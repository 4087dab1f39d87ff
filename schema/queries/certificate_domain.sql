SELECT domain_id FROM certificate WHERE id = $1::text
