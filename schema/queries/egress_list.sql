SELECT coalesce(array_agg(id ORDER BY network), '{}') FROM egress_network
