SELECT client_id, tenant_id, role, name, scope, client_state, tenant_state
FROM auth_certificate WHERE fingerprint = $1::text
