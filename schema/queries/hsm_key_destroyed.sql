UPDATE hsm_key SET state = 'destroyed', blob = NULL, updated_at = $2::timestamptz
WHERE id = $1::text AND state IN ('failed', 'retired')
