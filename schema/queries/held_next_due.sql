SELECT min(next_try_at) FROM held_message WHERE state = 'held'
