SELECT id, held_at, msg_id, tenant_id, domain_id, direction, state, reason, explanation, sender,
       recipients, recipient_domain, queue_id, size_bytes, received_at, next_try_at, expires_at,
       attempts, last_error, finished_at, quarantined, approved_at
FROM held_message WHERE tenant_id = $1::text AND id = $2::text
