SELECT id FROM tenant WHERE state <> 'closed' AND ends_at <= $1::timestamptz ORDER BY ends_at LIMIT 500
