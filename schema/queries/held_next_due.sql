SELECT min(greatest(CASE WHEN quarantined AND approved_at IS NULL THEN expires_at ELSE next_try_at END,
                    leased_until))
FROM held_message WHERE state = 'held'
