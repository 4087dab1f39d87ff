UPDATE domain SET authority_id = $3::text, updated_at = $4::timestamptz
WHERE tenant_id = $1::text AND id = $2::text
