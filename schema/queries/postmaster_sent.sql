UPDATE postmaster_check
SET state = 'sent', hash = $3::bytea, sent_at = $2::timestamptz, expires_at = $4::timestamptz,
    tries = 0, last_error = ''
WHERE domain_id = $1::text
