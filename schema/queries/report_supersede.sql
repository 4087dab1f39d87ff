UPDATE report SET state = 'superseded'
WHERE tenant_id IS NOT DISTINCT FROM $1::text AND kind = $2::text AND period = $3::text
  AND state = 'current'
