SELECT pg_advisory_xact_lock(hashtext('sealgate.usage'))::text
