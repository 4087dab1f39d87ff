UPDATE certificate_request SET answered_at = coalesce(answered_at, $2::timestamptz)
WHERE partner = $1::text
