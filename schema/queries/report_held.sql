-- Mail that was held in the period: how many, what became of it, how long it waited.
SELECT jsonb_build_object(
    'held', count(*),
    'held_sent', count(*) FILTER (WHERE state = 'sent'),
    'held_deleted', count(*) FILTER (WHERE state = 'deleted'),
    'held_expired', count(*) FILTER (WHERE state = 'expired'),
    'held_waiting', count(*) FILTER (WHERE state = 'held'),
    'held_seconds_median', coalesce(round(extract(epoch FROM percentile_disc(0.5)
        WITHIN GROUP (ORDER BY finished_at - held_at) FILTER (WHERE state = 'sent')))::int8, 0),
    'held_seconds_most', coalesce(round(extract(epoch FROM max(finished_at - held_at)
        FILTER (WHERE state = 'sent')))::int8, 0),
    'time_zone', $4::text)::text
FROM held_message
WHERE held_at >= $2::timestamptz AND held_at < $3::timestamptz AND ($1::text IS NULL OR tenant_id = $1::text)
