INSERT INTO report_signature (id, tenant_id, report_id, sha256, name, title, words, actor, signed_at)
SELECT $1::text, r.tenant_id, r.id, r.sha256, $5::text, $6::text, $7::text, $8::text, $9::timestamptz
FROM report r
WHERE ($2::text IS NULL OR r.tenant_id = $2) AND r.id = $3::text AND r.sha256 = $4::bytea AND r.state = 'current'
