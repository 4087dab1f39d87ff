SELECT DISTINCT environment FROM member_domain WHERE name = $1::text
