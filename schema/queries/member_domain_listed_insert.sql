INSERT INTO member_domain (id, name, environment, source, created_at)
SELECT new.id, new.name, $1::text, 'directory', $4::timestamptz
FROM unnest($2::text[], $3::text[]) AS new (id, name)
ON CONFLICT (name, environment, source) DO NOTHING
