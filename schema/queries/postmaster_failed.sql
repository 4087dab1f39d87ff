UPDATE postmaster_check SET state = 'failed', hash = NULL, last_error = $2::text
WHERE domain_id = $1::text AND state <> 'verified'
