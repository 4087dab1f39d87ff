UPDATE certificate_request SET state = 'sent', sent_at = $2::timestamptz, last_error = ''
WHERE id = $1::text AND state = 'pending'
