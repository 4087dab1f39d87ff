SELECT r.id, r.made_at, r.tenant_id, r.kind, r.period, r.revision, r.state, r.complete, r.sha256, r.made_by,
       (SELECT count(*) FROM report_signature s WHERE s.report_id = r.id)
FROM report r
WHERE ($1::text IS NULL OR r.tenant_id = $1)
  AND ($2::timestamptz IS NULL OR (r.made_at, r.id) < ($2::timestamptz, $3::text))
  AND ($5::text IS NULL OR r.kind = $5) AND ($6::text IS NULL OR r.period = $6)
  AND ($7::text IS NULL OR r.state = $7)
  AND ($8::text IS NULL OR (r.tenant_id IS NULL) = ($8 = 'platform'))
ORDER BY r.made_at DESC, r.id DESC LIMIT $4::int8
