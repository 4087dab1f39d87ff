-- A quarter sorts as its text: "2026q4".
SELECT id, quarter, spki FROM archive_key
WHERE state = 'active' AND quarter <= to_char($1::timestamptz AT TIME ZONE 'UTC', 'YYYY"q"Q')
ORDER BY quarter DESC LIMIT 1
