UPDATE incident SET state = 'acknowledged', acknowledged_at = $3::timestamptz,
       acknowledged_by = current_setting('app.actor')
WHERE ($1::text IS NULL OR tenant_id = $1::text) AND id = $2::text AND state = 'open'
