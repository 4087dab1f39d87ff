SELECT c.id, c.created_at, c.list_id, l.name, c.state, c.reason, c.version, c.source_url,
       c.members_before, c.members_after, c.added, c.removed, c.decided_at, c.decided_by
FROM list_change c JOIN member_list l ON l.id = c.list_id
WHERE ($1::text IS NULL OR c.list_id = $1) AND ($2::text IS NULL OR c.state = $2)
  AND ($3::timestamptz IS NULL OR (c.created_at, c.id) > ($3::timestamptz, $4::text))
ORDER BY c.created_at, c.id LIMIT $5::int8
