SELECT id, name, environment, version, members FROM member_list WHERE id = $1::text FOR UPDATE
