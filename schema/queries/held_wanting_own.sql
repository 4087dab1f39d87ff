-- Domains of ours whose mail waits for a certificate of their own.
SELECT d.name, d.id
FROM (SELECT DISTINCT domain_id FROM held_message WHERE state = 'held' AND reason IN ('211', '212')) h
JOIN domain d ON d.id = h.domain_id
WHERE d.name > $1::text ORDER BY d.name LIMIT $2::int4
