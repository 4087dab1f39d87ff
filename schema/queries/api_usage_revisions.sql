SELECT u.revision, u.made_at, u.watermark, u.messages_out, u.recipients_out, u.bytes_out, u.messages_in, u.recipients_in, u.bytes_in, u.sealed, u.opened, u.held, u.refused, u.domains, u.domain_days, u.storage_bytes
FROM usage_month u WHERE u.tenant_id = $1::text AND u.month = $2::text::date ORDER BY u.revision
