INSERT INTO trust_anchor (id, der, sha256, subject, not_after, created_at)
VALUES ($1::text, $2::bytea, $3::bytea, $4::text, $5::timestamptz, $6::timestamptz)
RETURNING id, created_at, der, sha256, subject, not_after
