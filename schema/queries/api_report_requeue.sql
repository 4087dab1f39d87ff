UPDATE report_delivery SET state = 'queued', finished_at = NULL
WHERE ($1::text IS NULL OR tenant_id = $1::text) AND report_id = $2::text AND state = 'failed'
