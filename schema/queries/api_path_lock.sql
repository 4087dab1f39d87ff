SELECT pg_advisory_xact_lock(hashtextextended('api ' || $1::text, 0))::text
