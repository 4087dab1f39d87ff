UPDATE member_list
SET read_at = $2::timestamptz, read_version = $3::text, read_members = $4::int4, skipped = $5::int4,
    source_url = $6::text, last_error = ''
WHERE id = $1::text
