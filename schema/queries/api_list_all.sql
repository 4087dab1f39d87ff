SELECT l.id, l.name, l.environment, l.version, l.members, l.changed_at, l.read_at, l.read_version,
       l.read_members, l.skipped, l.source_url, l.failed_at, l.last_error, l.next_at,
       (SELECT c.id FROM list_change c WHERE c.list_id = l.id AND c.state = 'pending')
FROM member_list l
WHERE $1::text IS NULL OR l.id = $1
ORDER BY l.id
