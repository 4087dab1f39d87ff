INSERT INTO api_token (id, tenant_id, role, name, scope, hash, created_at, expires_at, client_id,
                       bound)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::bytea, $7::timestamptz,
        $8::timestamptz, $9::text, $10::bool)
