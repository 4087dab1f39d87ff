-- Those that were seen within the period; the summary is of the latest time that they were.
SELECT coalesce(jsonb_agg(jsonb_build_array(summary, kind, severity, occurrences,
           to_char(first_seen AT TIME ZONE $4::text, 'YYYY-MM-DD HH24:MI'),
           to_char(last_seen AT TIME ZONE $4::text, 'YYYY-MM-DD HH24:MI'), state, coalesce(resolution, ''))
       ORDER BY first_seen, kind COLLATE "C", id), '[]')::text
FROM incident
WHERE first_seen < $3::timestamptz AND last_seen >= $2::timestamptz AND ($1::text IS NULL OR tenant_id = $1::text)
