-- Domains of ours whose mail waits for a certificate of their own.
SELECT d.name, d.id, ARRAY[d.id::text]
FROM (SELECT DISTINCT domain_id FROM held_message WHERE state = 'held' AND reason IN ('211', '212')) h
JOIN domain d ON d.id = h.domain_id
WHERE (d.name, d.id) > ($1::text, $2::text) ORDER BY d.name, d.id LIMIT $3::int4
