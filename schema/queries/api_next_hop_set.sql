INSERT INTO next_hop (domain_id, tenant_id, protocol, host, port, tls, ca_pem, updated_at)
SELECT id, tenant_id, $3::text, $4::text, $5::int4, $6::text, $7::text, $8::timestamptz
FROM domain WHERE id = $1::text AND tenant_id = $2::text
ON CONFLICT (domain_id) DO UPDATE SET protocol = excluded.protocol, host = excluded.host,
    port = excluded.port, tls = excluded.tls, ca_pem = excluded.ca_pem,
    updated_at = excluded.updated_at
RETURNING domain_id, protocol, host, port, tls, ca_pem, updated_at
