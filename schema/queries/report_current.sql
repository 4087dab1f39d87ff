SELECT id, tenant_id, kind, period, revision, complete, data::text, sha256, watermark::text,
       differs::text, made_by
FROM report
WHERE tenant_id IS NOT DISTINCT FROM $1::text AND kind = $2::text AND period = $3::text
  AND state = 'current'
