SELECT id, name, environment, version, members FROM member_list ORDER BY id
