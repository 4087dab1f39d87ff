SELECT id, received_at, tenant_id, direction, node, queue_id, sender, sender_domain, header_from,
       message_id, client_address, size_bytes, body_sha256, archive_ref
FROM message WHERE queue_id = $1::text AND direction = $2::text AND tenant_id = $3::text
ORDER BY received_at DESC LIMIT 1
