SELECT min(greatest(next_try_at, leased_until)) FROM held_message WHERE state = 'held'
