UPDATE certificate SET state = 'revoked', updated_at = $3::timestamptz
WHERE tenant_id = $1::text AND domain_id = $2::text AND state <> 'revoked'
RETURNING id, not_after > $3::timestamptz
