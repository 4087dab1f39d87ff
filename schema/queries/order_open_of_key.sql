SELECT id, state FROM certificate_order
WHERE domain_id = $1::text AND key_id = $2::text AND finished_at IS NULL
FOR UPDATE
