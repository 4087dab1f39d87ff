SELECT authority_id FROM tenant WHERE id = $1::text
