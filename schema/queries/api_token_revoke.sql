UPDATE api_token SET revoked_at = coalesce(revoked_at, $2::timestamptz) WHERE id = $1::text
