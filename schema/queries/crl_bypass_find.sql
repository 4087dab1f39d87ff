SELECT ends_at, reason FROM crl_bypass
WHERE sha256 = $1::bytea ORDER BY ends_at DESC LIMIT 1
