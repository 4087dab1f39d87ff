DELETE FROM partner_certificate WHERE id = $1::text
