UPDATE legal_hold SET lifted_at = $3::timestamptz, lifted_by = current_setting('app.actor')
WHERE tenant_id = $1::text AND id = $2::text AND lifted_at IS NULL
