SELECT msg_id, received_at, tenant_id, recipient, recipient_domain, outcome, verdict,
       array_to_string(codes, ','), reply, outcome_at
FROM message_recipient WHERE msg_id = $1::text AND received_at = $2::timestamptz
ORDER BY recipient
