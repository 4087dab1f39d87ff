DELETE FROM idempotency_key WHERE (caller, key) IN (
    SELECT caller, key FROM idempotency_key WHERE expires_at <= $1::timestamptz
    ORDER BY expires_at LIMIT $2::int8)
