SELECT count(*) FROM smime_exception
WHERE domain_id = $1::text AND partner = ANY ($2::text[])
  AND (expires_at IS NULL OR expires_at > $3::timestamptz)
