INSERT INTO submitter (id, tenant_id, kind, network, fingerprint, description, created_at)
VALUES ($1::text, $2::text, $3::text, $4::cidr, $5::text, $6::text, $7::timestamptz)
RETURNING id, created_at, tenant_id, kind, network::text, fingerprint, description
