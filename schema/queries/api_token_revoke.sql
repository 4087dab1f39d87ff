UPDATE api_token SET revoked_at = coalesce(revoked_at, $3::timestamptz)
WHERE id = $1::text AND ($2::text IS NULL OR client_id = $2::text)
