SELECT EXISTS (SELECT 1 FROM archive_key WHERE quarter = $1::text)
