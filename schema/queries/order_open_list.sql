-- Open orders that go on by themselves; a unique key keeps those that have a job from a second.
SELECT o.id, o.tenant_id
FROM certificate_order o JOIN certificate_authority a ON a.id = o.authority_id
WHERE o.finished_at IS NULL
  AND NOT (o.state = 'pending' AND o.polls = 0 AND a.method = 'manual')
  AND ($1::text IS NULL OR o.id > $1::text)
ORDER BY o.id LIMIT $2::int8
