UPDATE report_delivery
SET state = $2::text, last_error = left($3::text, 500), msg_id = coalesce($4::text, msg_id),
    attempts = attempts + CASE WHEN $5::bool THEN 1 ELSE 0 END,
    sent_at = CASE WHEN $5 THEN $6::timestamptz ELSE sent_at END,
    finished_at = CASE WHEN $2 IN ('sealed', 'failed') THEN $6 END
WHERE id = $1::text
