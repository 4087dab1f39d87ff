SELECT id, created_at, encode(sha256, 'hex'), reason, actor, ends_at FROM crl_bypass WHERE id = $1::text
