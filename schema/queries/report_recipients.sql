-- Who is named for reports of this kind; where nobody is, the security contact, and for usage that of billing
-- (REQ-143). And the administrator of SecureMail, for those of the platform about its security.
WITH named AS (
    SELECT address FROM report_recipient WHERE tenant_id IS NOT DISTINCT FROM $1::text AND kind = $2::text
)
SELECT coalesce(array_agg(DISTINCT address), '{}')::text[]
FROM (SELECT address FROM named
      UNION ALL
      SELECT lower(mailbox) FROM contact
      WHERE tenant_id IS NOT DISTINCT FROM $1::text
        AND role = CASE $2::text WHEN 'usage' THEN 'billing' ELSE 'security' END AND NOT EXISTS (SELECT FROM named)
      UNION ALL
      SELECT lower($3::text)
      WHERE $1::text IS NULL AND $3::text <> '' AND $2::text IN ('breach', 'compliance', 'availability')) AS recipient
