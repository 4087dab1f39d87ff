INSERT INTO message
    (id, received_at, tenant_id, direction, node, queue_id, sender, sender_domain, header_from,
     message_id, client_address, size_bytes, body_sha256, archive_ref, sent_at)
SELECT id, received_at, tenant_id, direction, node, queue_id, sender, sender_domain, header_from,
       message_id, client_address, size_bytes, body_sha256, archive_ref,
       nullif(sent_at, 'epoch'::timestamptz)
FROM unnest(
    $1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::text[], $11::text[], $12::int8[], $13::bytea[], $14::text[],
    $15::timestamptz[])
    AS m (id, received_at, tenant_id, direction, node, queue_id, sender, sender_domain, header_from,
          message_id, client_address, size_bytes, body_sha256, archive_ref, sent_at)
ON CONFLICT (received_at, id) DO NOTHING
