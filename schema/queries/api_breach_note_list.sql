SELECT n.id, n.at, n.actor, n.action, n.words FROM breach_note n
WHERE n.breach_id = $1::text ORDER BY n.at, n.id
