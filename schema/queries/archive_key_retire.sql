UPDATE archive_key SET state = 'retired', retired_at = $2::timestamptz
WHERE id = $1::text AND state = 'active'
  AND NOT EXISTS (SELECT FROM archive_data_key d WHERE d.archive_key_id = $1::text)
