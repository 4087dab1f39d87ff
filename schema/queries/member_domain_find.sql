-- A suspended domain keeps its environment: what waits for it is sealed all the same.
SELECT environment FROM (
    SELECT environment, 0 AS place FROM domain
    WHERE name = $1::text AND state IN ('attested', 'verified', 'suspended')
    UNION ALL
    SELECT environment, CASE environment WHEN 'seemail' THEN 1 ELSE 2 END FROM member_domain
    WHERE name = $1::text AND environment IN ('seemail', 'securemail')) found
ORDER BY place LIMIT 1
