DELETE FROM crl WHERE next_update < $1::timestamptz AND fetched_at < $1::timestamptz
