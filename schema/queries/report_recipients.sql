-- Of the platform's reports the administrator of SecureMail gets those about its security.
SELECT coalesce(array_agg(DISTINCT address), '{}')::text[]
FROM (SELECT lower($3::text) AS address
      WHERE $1::text IS NULL AND $3::text <> '' AND $2::text IN ('breach', 'compliance', 'availability')) AS recipient
