SELECT fingerprint, status, location, body, secret
FROM idempotency_key WHERE caller = $1::text AND key = $2::text
