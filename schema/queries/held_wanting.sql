-- Partner domains for whose certificate mail waits, each with one of the domains that it waits for.
SELECT DISTINCT ON (recipient_domain) recipient_domain, domain_id
FROM held_message
WHERE state = 'held' AND reason IN ('201', '202') AND NOT (quarantined AND approved_at IS NULL)
  AND recipient_domain > $1::text
ORDER BY recipient_domain, held_at DESC LIMIT $2::int4
