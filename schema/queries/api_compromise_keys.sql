-- A key that is yet to be made is given up: its order is cancelled.
UPDATE hsm_key
SET state = CASE state WHEN 'pending' THEN 'failed' ELSE 'compromised' END,
    updated_at = $3::timestamptz
WHERE tenant_id = $1::text AND domain_id = $2::text AND state IN ('pending', 'active')
