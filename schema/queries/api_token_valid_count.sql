SELECT count(*)
FROM api_token WHERE client_id = $1::text AND revoked_at IS NULL AND expires_at > $2::timestamptz
