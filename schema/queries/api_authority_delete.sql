DELETE FROM certificate_authority WHERE id = $1::text
