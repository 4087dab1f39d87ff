-- A batch of those that ended before $1, dead ones before $2.
DELETE FROM job WHERE id IN (
    SELECT id FROM job
    WHERE state IN ('done', 'dead', 'cancelled')
      AND finished_at < CASE state WHEN 'dead' THEN $2::timestamptz ELSE $1::timestamptz END
      AND finished_at < greatest($1::timestamptz, $2::timestamptz)
    LIMIT $3::int4 FOR UPDATE SKIP LOCKED)
