UPDATE domain SET state = 'revoked', updated_at = $2::timestamptz
WHERE tenant_id = $1::text AND state <> 'revoked'
