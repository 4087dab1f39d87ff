DELETE FROM held_chunk WHERE held_id = $1::text
