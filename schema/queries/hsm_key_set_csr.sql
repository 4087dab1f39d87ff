UPDATE hsm_key SET csr = $2::bytea, updated_at = $3::timestamptz
WHERE id = $1::text AND state = 'active'
