SELECT pg_advisory_xact_lock(hashtextextended(
    'report ' || coalesce($1::text, '') || ' ' || $2::text || ' ' || $3::text, 0)) IS NULL
