UPDATE api_token SET revoked_at = $2::timestamptz WHERE tenant_id = $1::text AND revoked_at IS NULL
