UPDATE certificate SET state = 'revoked', updated_at = $4::timestamptz
WHERE tenant_id = $1::text AND domain_id = $2::text AND id = $3::text
