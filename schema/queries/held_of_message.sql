-- What is, or was, held of a message.
SELECT id, state, reason, recipients FROM held_message WHERE msg_id = $1::text ORDER BY held_at, id
