-- The same request may be answered when it comes again; what was signed before it may not.
UPDATE certificate_answer
SET answered_at = 'epoch', signed_at = signed_at - interval '1 microsecond'
WHERE domain_id = $1::text AND partner = $2::text AND answered_at = $3::timestamptz
