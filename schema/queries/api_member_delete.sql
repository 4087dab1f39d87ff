DELETE FROM member_domain WHERE id = $1::text
