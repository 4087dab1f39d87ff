SELECT data FROM held_chunk WHERE held_id = $1::text AND seq = $2::int4
