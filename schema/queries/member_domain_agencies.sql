-- Who stands on SEEMail's list, by whatever source.
SELECT DISTINCT name FROM member_domain WHERE environment = 'seemail' ORDER BY name LIMIT $1::int8
