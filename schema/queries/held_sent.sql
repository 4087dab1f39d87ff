-- It went to these; with the last recipient it is done.
UPDATE held_message
SET state = CASE WHEN recipients <@ $2::text[] THEN 'sent' ELSE 'held' END,
    recipients = CASE WHEN recipients <@ $2::text[] THEN recipients ELSE ARRAY(
        SELECT r FROM unnest(recipients) WITH ORDINALITY AS n (r, place)
        WHERE r <> ALL ($2::text[]) ORDER BY place) END,
    finished_at = CASE WHEN recipients <@ $2::text[] THEN $3::timestamptz END,
    wrapped_key = CASE WHEN recipients <@ $2::text[] THEN '' ELSE wrapped_key END
WHERE id = $1::text AND state = 'held'
RETURNING state = 'sent'
