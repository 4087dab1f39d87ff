-- Who of these is on the domain's list, and until when.
SELECT expires_at FROM smime_exception
WHERE domain_id = $1::text AND partner = ANY ($2::text[])
