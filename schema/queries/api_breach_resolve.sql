UPDATE breach SET state = 'resolved', resolved_at = $3::timestamptz,
       resolved_by = current_setting('app.actor'), resolution = $4::text
WHERE ($1::text IS NULL OR tenant_id = $1::text) AND id = $2::text AND state = 'open'
