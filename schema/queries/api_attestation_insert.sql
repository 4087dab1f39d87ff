INSERT INTO attestation (id, requirement, words, name, title, valid_until, created_at, created_by)
VALUES ($1::text, $2::int4, $3::text, $4::text, $5::text, $6::timestamptz, $7::timestamptz, $8::text)
RETURNING id, created_at, requirement, words, name, title, valid_until, created_by, revoked_at
