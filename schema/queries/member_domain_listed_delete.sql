DELETE FROM member_domain
WHERE environment = $1::text AND source = 'directory' AND name = ANY ($2::text[])
