-- First the domain's own postmaster, then the tenant's contacts, then its other domains' postmasters.
SELECT address FROM (
    SELECT 'postmaster@' || name AS address, CASE WHEN id = $2::text THEN 0 ELSE 2 END AS place,
           created_at
    FROM domain WHERE tenant_id = $1::text AND state IN ('attested', 'verified')
    UNION ALL
    SELECT lower(mailbox), 1, created_at FROM contact
    WHERE tenant_id = $1::text AND role IN ('postmaster', 'technical', 'service-desk')) AS found
GROUP BY address ORDER BY min(place), min(created_at), address LIMIT $3::int8
