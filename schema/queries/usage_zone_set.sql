INSERT INTO usage_zone (time_zone) VALUES ($1::text)
ON CONFLICT (only_one) DO UPDATE SET time_zone = excluded.time_zone
    WHERE usage_zone.time_zone <> excluded.time_zone
