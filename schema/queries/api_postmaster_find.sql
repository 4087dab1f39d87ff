SELECT d.id, d.name, coalesce(p.state, 'unverified'), p.asked_at, p.sent_at, p.expires_at,
       p.verified_at, coalesce(p.tries, 0), coalesce(p.last_error, ''), coalesce(p.asked_today, 0),
       p.day_begin, p.hash
FROM domain d LEFT JOIN postmaster_check p ON p.domain_id = d.id
WHERE d.id = $1::text
