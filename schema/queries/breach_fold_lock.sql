-- One tenantd folds at a time; the others have nothing to do meanwhile.
SELECT pg_try_advisory_xact_lock(hashtext('sealgate.breach_fold'))
