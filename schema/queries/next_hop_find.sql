SELECT protocol, host, port, tls, ca_pem FROM next_hop WHERE domain_id = $1::text
