UPDATE certificate SET state = 'active', updated_at = $2::timestamptz
WHERE id = $1::text AND state = 'installed'
