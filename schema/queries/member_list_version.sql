UPDATE member_list SET version = $2::text WHERE id = $1::text
