SELECT id, created_at, encode(sha256, 'hex'), reason, actor, ends_at FROM crl_bypass
WHERE $1::timestamptz IS NULL OR (created_at, id) > ($1::timestamptz, $2::text)
ORDER BY created_at, id LIMIT $3::int8
