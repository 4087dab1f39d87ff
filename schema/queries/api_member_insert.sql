INSERT INTO member_domain (id, name, environment, created_at)
VALUES ($1::text, $2::text, $3::text, $4::timestamptz)
RETURNING id, created_at, name, environment, source
