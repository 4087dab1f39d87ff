-- Partner domains for whose certificate mail waits. Those of our domains that judge certificates by the same policy are
-- one row: the least of them, which is asked for all, and all.
WITH waiting AS (
    SELECT DISTINCT recipient_domain, domain_id FROM held_message
    WHERE state = 'held' AND reason IN ('201', '202') AND NOT (quarantined AND approved_at IS NULL)
      AND recipient_domain >= $1::text)
SELECT w.recipient_domain, min(d.id), array_agg(d.id::text)
FROM waiting w JOIN domain d ON d.id = w.domain_id
LEFT JOIN policy p ON p.tenant_id IS NULL
LEFT JOIN policy t ON t.tenant_id = d.tenant_id AND t.domain_id IS NULL
LEFT JOIN policy o ON o.tenant_id = d.tenant_id AND o.domain_id = d.id
CROSS JOIN LATERAL (SELECT coalesce(p.settings, '{}') || coalesce(t.settings, '{}')
                        || coalesce(o.settings, '{}') AS s) levels
GROUP BY w.recipient_domain, s->'discovery_approval', s->'weak_algorithms', s->'changed_certificate',
    s->'crl_grace_hours', s->'crl_bypass_until',
    CASE WHEN EXISTS (SELECT FROM domain_anchor a WHERE a.domain_id = d.id) THEN d.id END
HAVING (w.recipient_domain, min(d.id)) > ($1::text, $2::text)
ORDER BY 1, 2 LIMIT $3::int4
