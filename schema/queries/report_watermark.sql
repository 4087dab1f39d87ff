-- How far the log was: what a report made anew is compared by, when its numbers differ.
SELECT jsonb_build_object(
    'messages', (SELECT count(*) FROM message
                 WHERE received_at >= $2::timestamptz AND received_at < $3::timestamptz
                   AND ($1::text IS NULL OR tenant_id = $1::text)),
    'recipients', (SELECT count(*) FROM message_recipient
                   WHERE received_at >= $2::timestamptz AND received_at < $3::timestamptz AND ($1::text IS NULL OR tenant_id = $1::text)),
    'last_message_at', (SELECT to_char(max(received_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
                        FROM message WHERE received_at >= $2::timestamptz AND received_at < $3::timestamptz
                          AND ($1::text IS NULL OR tenant_id = $1::text)),
    'last_outcome_at', (SELECT to_char(max(outcome_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
                        FROM message_recipient WHERE received_at >= $2::timestamptz AND received_at < $3::timestamptz
                          AND ($1::text IS NULL OR tenant_id = $1::text)),
    'time_zone', $4::text)::text
