SELECT name FROM tenant WHERE id = $1::text
