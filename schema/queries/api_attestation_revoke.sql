UPDATE attestation SET revoked_at = $2::timestamptz WHERE id = $1::text AND revoked_at IS NULL
