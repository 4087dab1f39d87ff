INSERT INTO crl_bypass (id, sha256, reason, actor, ends_at, created_at)
VALUES ($1::text, decode($2::text, 'hex'), $3::text, current_setting('app.actor'), $4::timestamptz, $5::timestamptz)
RETURNING id, created_at, encode(sha256, 'hex'), reason, actor, ends_at
