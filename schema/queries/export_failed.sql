UPDATE tenant_export SET state = 'failed', error = $3::text, finished_at = $4::timestamptz
WHERE tenant_id = $1::text AND id = $2::text AND state = 'pending'
