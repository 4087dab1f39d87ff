UPDATE breach SET state = 'open', reopened_at = $3::timestamptz
WHERE ($1::text IS NULL OR tenant_id = $1::text) AND id = $2::text AND state = 'resolved'
