-- Who wants reports of this kind; and the administrator of SecureMail those of the platform about its
-- security.
SELECT coalesce(array_agg(DISTINCT address), '{}')::text[]
FROM (SELECT lower($3::text) AS address
      WHERE $1::text IS NULL AND $3::text <> '' AND $2::text IN ('breach', 'compliance', 'availability')
      UNION ALL
      SELECT address FROM report_recipient WHERE tenant_id IS NOT DISTINCT FROM $1::text AND kind = $2::text) AS recipient
