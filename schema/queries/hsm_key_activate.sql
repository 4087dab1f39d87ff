UPDATE hsm_key
SET state = 'active', spki = $2::bytea, spki_sha256 = sha256($2), blob = $3::bytea,
    updated_at = $4::timestamptz
WHERE id = $1::text AND state = 'pending'
