SELECT domain_id, protocol, host, port, tls, ca_pem, updated_at
FROM next_hop WHERE tenant_id = $1::text AND domain_id = $2::text
