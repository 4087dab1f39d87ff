-- Until those who have looked whether a hold stands are done with what they delete.
SELECT pg_advisory_xact_lock(hashtext('sealgate.legal_hold'))::text
