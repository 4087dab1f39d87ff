SELECT der, this_update, next_update, fetched_at FROM crl WHERE url = $1::text
