SELECT m.id, m.received_at, m.tenant_id, m.direction, m.node, m.queue_id, m.sender, m.header_from,
       m.message_id, m.client_address, m.size_bytes, m.body_sha256, m.sent_at
FROM message m WHERE m.tenant_id = $1::text AND m.id = $2::text
