UPDATE member_list SET next_at = $1::timestamptz
