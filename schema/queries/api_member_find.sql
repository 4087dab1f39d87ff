SELECT id, created_at, name, environment, source FROM member_domain WHERE id = $1::text
