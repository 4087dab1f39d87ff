DELETE FROM maintenance_window WHERE id = $1::text AND begins_at > $2::timestamptz
