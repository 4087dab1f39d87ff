SELECT state FROM domain WHERE id = $1::text FOR UPDATE
