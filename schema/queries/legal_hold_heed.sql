-- From now to the end of the transaction nobody makes a hold: what is looked up stays true. Before the look, in a
-- statement of its own.
SELECT pg_advisory_xact_lock_shared(hashtext('sealgate.legal_hold'))::text
