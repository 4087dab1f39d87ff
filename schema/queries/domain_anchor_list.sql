SELECT der FROM domain_anchor WHERE domain_id = $1::text ORDER BY created_at, id
