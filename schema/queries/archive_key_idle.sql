-- A later quarter's key has been there for a day: nobody wraps to these any more whose clock is near right.
-- Locked against who does so now.
SELECT id FROM archive_key k
WHERE state = 'active' AND EXISTS (SELECT FROM archive_key n
    WHERE n.state = 'active' AND n.quarter > k.quarter AND n.created_at <= $1::timestamptz - interval '1 day')
ORDER BY quarter FOR UPDATE OF k
