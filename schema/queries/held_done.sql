-- With these it is done; with the last recipient it ends, in this state. Whoever came to it meanwhile stays.
UPDATE held_message
SET state = CASE WHEN recipients <@ $3::text[] THEN $2::text ELSE 'held' END,
    recipients = CASE WHEN recipients <@ $3::text[] THEN recipients ELSE ARRAY(
        SELECT r FROM unnest(recipients) WITH ORDINALITY AS n (r, place)
        WHERE r <> ALL ($3::text[]) ORDER BY place) END,
    finished_at = CASE WHEN recipients <@ $3::text[] THEN $4::timestamptz END,
    wrapped_key = CASE WHEN recipients <@ $3::text[] THEN '' ELSE wrapped_key END
WHERE id = $1::text AND state = 'held'
RETURNING state <> 'held'
