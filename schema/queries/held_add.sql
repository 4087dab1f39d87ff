-- Further recipients of a message that is held: none twice.
UPDATE held_message
SET recipients = recipients || ARRAY(
    SELECT r FROM unnest($3::text[]) WITH ORDINALITY AS n (r, place)
    WHERE r <> ALL (recipients) ORDER BY place)
WHERE msg_id = $1::text AND recipient_domain = $2::text AND state = 'held'
