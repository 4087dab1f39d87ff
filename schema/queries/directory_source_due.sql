SELECT s.id, s.url, s.base_dn, s.ca_pem, s.bind_dn, s.credential, coalesce(t.failures, 0), t.retry_at
FROM directory_source s LEFT JOIN directory_source_state t ON t.source_id = s.id
WHERE s.anchor_id IS NULL -- of one CA: it has no lists
ORDER BY s.position, s.created_at, s.id
