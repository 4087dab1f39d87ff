INSERT INTO crl (url, der, this_update, next_update, fetched_at)
VALUES ($1::text, $2::bytea, $3::timestamptz, $4::timestamptz, $5::timestamptz)
ON CONFLICT (url) DO UPDATE
    SET der = excluded.der, this_update = excluded.this_update,
        next_update = excluded.next_update, fetched_at = excluded.fetched_at
    WHERE crl.this_update <= excluded.this_update
