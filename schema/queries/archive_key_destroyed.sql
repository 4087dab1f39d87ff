SELECT archive_key_destroyed($1::text, $2::timestamptz)
