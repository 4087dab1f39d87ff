UPDATE member_list SET failed_at = $2::timestamptz, last_error = $3::text WHERE id = $1::text
