SELECT EXISTS (SELECT FROM legal_hold WHERE tenant_id = $1::text AND lifted_at IS NULL)
