SELECT r.id, r.made_at, r.tenant_id, r.kind, r.period, r.revision, r.state, r.complete, r.sha256, r.made_by,
       (SELECT count(*) FROM report_signature s WHERE s.report_id = r.id),
       r.data::text, r.watermark::text, r.differs::text,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('id', s.id, 'name', s.name, 'title', s.title, 'words', s.words,
                    'sha256', encode(s.sha256, 'hex'), 'signed_at',
                    to_char(s.signed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
                    ORDER BY s.signed_at, s.id), '[]')::text
        FROM report_signature s WHERE s.report_id = r.id),
       (SELECT coalesce(jsonb_agg(jsonb_build_object('id', d.id, 'recipient', d.recipient, 'state', d.state,
                    'message_id', d.message_id, 'msg_id', d.msg_id, 'attempts', d.attempts,
                    'last_error', d.last_error, 'finished_at',
                    to_char(d.finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
                    ORDER BY d.created_at, d.id), '[]')::text
        FROM report_delivery d WHERE d.report_id = r.id)
FROM report r
WHERE ($1::text IS NULL OR r.tenant_id = $1) AND r.id = $2::text
