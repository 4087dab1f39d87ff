SELECT der FROM trust_anchor ORDER BY created_at, id
