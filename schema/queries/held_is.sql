SELECT state = 'held' FROM held_message WHERE id = $1::text
