DELETE FROM retention_policy WHERE tenant_id = $1::text AND class = $2::text
