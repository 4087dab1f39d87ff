DELETE FROM api_client_certificate WHERE client_id = $1::text AND id = $2::text
