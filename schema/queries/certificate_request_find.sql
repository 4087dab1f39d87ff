SELECT sent_at FROM certificate_request
WHERE partner = $1::text AND domain_id = $2::text AND sent_at IS NOT NULL
