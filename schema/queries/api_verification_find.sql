-- A domain without a row is one that was made before there were any: attested.
SELECT d.id, d.name, d.state, coalesce(o.method, 'attested'), coalesce(o.challenge, ''),
       coalesce(o.result, ''), coalesce(o.dnssec, ''), coalesce(o.last_error, ''),
       coalesce(o.attempts, 0), o.asked_at, o.deadline_at, o.checked_at, o.next_check_at,
       o.missing_since, o.suspend_at, o.verified_at
FROM domain d LEFT JOIN domain_ownership o ON o.domain_id = d.id
WHERE d.id = $1::text
