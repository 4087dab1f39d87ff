-- Cancelled, and its time is over; what was withdrawn meanwhile stays.
UPDATE tenant SET state = 'closed', closed_at = $2::timestamptz, updated_at = $2::timestamptz
WHERE id = $1::text AND state <> 'closed' AND ends_at <= $2::timestamptz
