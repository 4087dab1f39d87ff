SELECT c.id, c.created_at, c.list_id, l.name, c.state, c.reason, c.version, c.source_url,
       c.members_before, c.members_after, c.added, c.removed, c.decided_at, c.decided_by
FROM list_change c JOIN member_list l ON l.id = c.list_id
WHERE c.id = $1::text
