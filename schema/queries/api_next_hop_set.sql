INSERT INTO next_hop (domain_id, tenant_id, protocol, host, port, tls, ca_pem, updated_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::int4, $6::text, $7::text, $8::timestamptz)
ON CONFLICT (domain_id) DO UPDATE SET protocol = excluded.protocol, host = excluded.host,
    port = excluded.port, tls = excluded.tls, ca_pem = excluded.ca_pem,
    updated_at = excluded.updated_at
    WHERE next_hop.tenant_id = excluded.tenant_id
RETURNING domain_id, protocol, host, port, tls, ca_pem, updated_at
