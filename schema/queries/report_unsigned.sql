SELECT coalesce((SELECT array_agg(r.id::text ORDER BY r.id) FROM report r
                 WHERE r.state = 'current' AND r.complete AND r.kind IN ('breach', 'compliance') AND r.tenant_id IS NULL
                   AND r.made_at < $1::timestamptz
                   AND NOT EXISTS (SELECT FROM report_signature s WHERE s.report_id = r.id)), '{}')::text[],
       coalesce((SELECT array_agg(substr(i.dedup_key, 17)) FROM incident i
                 WHERE i.kind = 'report.unsigned' AND i.state <> 'resolved'
                   AND NOT EXISTS (SELECT FROM report r WHERE r.id = substr(i.dedup_key, 17) AND r.state = 'current'
                                     AND NOT EXISTS (SELECT FROM report_signature s WHERE s.report_id = r.id))),
                '{}')::text[]
