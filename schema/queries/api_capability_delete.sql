DELETE FROM partner_capability WHERE id = $1::text
