SELECT n.id, n.at, n.actor, n.action, n.words FROM incident_note n
WHERE n.incident_id = $1::text ORDER BY n.at, n.id
