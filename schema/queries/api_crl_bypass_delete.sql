DELETE FROM crl_bypass WHERE id = $1::text
