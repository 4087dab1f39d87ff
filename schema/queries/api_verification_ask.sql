INSERT INTO domain_ownership (domain_id, tenant_id, method, challenge, asked_at, next_check_at)
SELECT id, tenant_id, CASE state WHEN 'attested' THEN 'attested' ELSE 'dns' END, $2::text,
       $3::timestamptz, $3
FROM domain WHERE id = $1::text
ON CONFLICT (domain_id) DO UPDATE
SET challenge = excluded.challenge, asked_at = excluded.asked_at, deadline_at = NULL, attempts = 0,
    next_check_at = excluded.next_check_at, result = '', last_error = ''
