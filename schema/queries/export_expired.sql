UPDATE tenant_export SET state = 'expired' WHERE state = 'ready' AND expires_at <= $1::timestamptz
RETURNING file
