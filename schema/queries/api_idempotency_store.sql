UPDATE idempotency_key
SET status = $3::int4, location = $4::text, body = $5::text, secret = $6::bytea
WHERE caller = $1::text AND key = $2::text
