-- For the compliance report: requirement, what was looked at, how many were good, of how many, and
-- whether that meets it (NULL where there are none).
WITH own_domain AS (
    SELECT * FROM domain WHERE created_at < $3::timestamptz AND ($1::text IS NULL OR tenant_id = $1::text)
), own_certificate AS (
    SELECT c.*, k.algorithm, k.created_at AS key_created_at, k.kind AS key_kind, k.state AS key_state, k.blob IS NOT NULL AS wrapped
    FROM certificate c JOIN hsm_key k ON k.id = c.key_id
    WHERE c.state = 'active' AND c.created_at < $3::timestamptz AND ($1::text IS NULL OR c.tenant_id = $1::text)
), own_recipient AS (
    SELECT count(*) AS n, count(*) FILTER (WHERE outcome <> 'received') AS ended
    FROM message_recipient
    WHERE received_at >= $2::timestamptz AND received_at < $3::timestamptz AND ($1::text IS NULL OR tenant_id = $1::text)
), own_message AS (
    SELECT count(*) AS n, count(*) FILTER (WHERE archive_ref <> '') AS archived,
           count(*) FILTER (WHERE client_address <> '' AND node <> '') AS placed
    FROM message
    WHERE received_at >= $2::timestamptz AND received_at < $3::timestamptz AND ($1::text IS NULL OR tenant_id = $1::text)
), looked (requirement, what, good, n) AS (
    SELECT 45, 'domains in service that have a valid certificate of their own',
           count(*) FILTER (WHERE EXISTS (SELECT FROM own_certificate c WHERE c.domain_id = d.id
                AND c.not_before <= $3::timestamptz AND c.not_after > $3::timestamptz)), count(*)
    FROM own_domain d WHERE state IN ('attested', 'verified')
    UNION ALL
    SELECT 135, 'domains in service whose ownership is verified by DNS', count(*) FILTER (WHERE state = 'verified'), count(*)
    FROM own_domain WHERE state IN ('attested', 'verified')
    UNION ALL
    SELECT 160, 'certificates in use that are valid for at most thirteen months',
           count(*) FILTER (WHERE not_after <= not_before + interval '13 months 1 day'), count(*) FROM own_certificate
    UNION ALL
    SELECT 161, 'keys in use that are at most five years old',
           count(*) FILTER (WHERE key_created_at > $3::timestamptz - interval '5 years'), count(*) FROM own_certificate
    UNION ALL
    SELECT 23, 'certificates in use with an RSA key of at least 2048 bits',
           count(*) FILTER (WHERE algorithm IN ('rsa-2048', 'rsa-3072', 'rsa-4096')), count(*) FROM own_certificate
    UNION ALL
    SELECT 132, 'private keys in use that are in the HSM, or wrapped by it',
           count(*) FILTER (WHERE key_state = 'active' AND (key_kind = 'token' OR wrapped)), count(*) FROM own_certificate
    UNION ALL
    SELECT 117, 'messages of the period logged with their origin', placed, n FROM own_message
    UNION ALL
    SELECT 117, 'recipients of the period of whom the log knows what became', ended, n FROM own_recipient
    UNION ALL
    SELECT 147, 'messages of the period whose original is in the archive', archived, n FROM own_message
    UNION ALL
    SELECT 178, 'accredited roots in use that have not expired', count(*) FILTER (WHERE not_after > $3::timestamptz), count(*)
    FROM trust_anchor WHERE $1::text IS NULL
    HAVING $1::text IS NULL
    UNION ALL
    SELECT 190, 'lists of member domains that were read without an error', count(*) FILTER (WHERE last_error = ''), count(*)
    FROM member_list WHERE read_at IS NOT NULL OR failed_at IS NOT NULL
    HAVING $1::text IS NULL
    UNION ALL
    SELECT 128, 'critical incidents of the period that were resolved', count(*) FILTER (WHERE state = 'resolved'), count(*)
    FROM incident
    WHERE severity = 'critical' AND first_seen < $3::timestamptz AND last_seen >= $2::timestamptz
      AND ($1::text IS NULL OR tenant_id = $1::text)
    UNION ALL
    -- This month's is made at the same time as this one.
    SELECT 144, 'breach reports made for the month before', (SELECT count(*) FROM report
            WHERE kind = 'breach' AND state = 'current' AND complete AND tenant_id IS NOT DISTINCT FROM $1::text
              AND period = to_char(($2::timestamptz AT TIME ZONE $4::text) - interval '1 day', 'YYYY-MM')),
           (SELECT count(*) FROM (SELECT min(created_at) AS since FROM tenant
                                  WHERE $1::text IS NULL OR id = $1::text) AS t WHERE since < $2::timestamptz)
    UNION ALL
    SELECT 142, 'availability reports of the month before that met what is guaranteed',
           count(*) FILTER (WHERE jsonb_path_exists(data, '$.sections[*].figures[*] ? (@.name == "met" && @.value == true)')),
           count(*)
    FROM report
    WHERE kind = 'availability' AND state = 'current' AND complete AND tenant_id IS NOT DISTINCT FROM $1::text
      AND period = to_char(($2::timestamptz AT TIME ZONE $4::text) - interval '1 day', 'YYYY-MM')
    UNION ALL
    SELECT 143, 'contacts that were reviewed in time, and are of a desk', count(*) FILTER (
               WHERE role_mailbox AND reviewed_at + review_days * interval '1 day' > $3::timestamptz), count(*)
    FROM contact WHERE tenant_id IS NOT DISTINCT FROM $1::text
    UNION ALL
    SELECT 157, 'acknowledgements of documents that every tenant is to acknowledge', count(a.id), count(*)
    FROM document d CROSS JOIN tenant t
    LEFT JOIN acknowledgement a ON a.document_id = d.id AND a.tenant_id = t.id
    WHERE d.required AND d.valid_from <= $3::timestamptz AND d.withdrawn_at IS NULL AND t.state IN ('active', 'suspended')
      AND t.created_at < $3::timestamptz AND ($1::text IS NULL OR t.id = $1::text)
    UNION ALL
    SELECT 174, 'compromises of the period that are dealt with to the end', count(*) FILTER (WHERE state = 'done'), count(*)
    FROM certificate_compromise
    WHERE created_at >= $2::timestamptz AND created_at < $3::timestamptz AND ($1::text IS NULL OR tenant_id = $1::text)
    UNION ALL
    SELECT 200, 'compromises of the period with a new certificate within a day',
           count(*) FILTER (WHERE installed_at <= created_at + interval '1 day'), count(*)
    FROM certificate_compromise
    WHERE created_at >= $2::timestamptz AND created_at < $3::timestamptz AND ($1::text IS NULL OR tenant_id = $1::text)
    UNION ALL
    SELECT 182, 'domains in service whose postmaster answered', count(p.domain_id), count(*)
    FROM own_domain d LEFT JOIN postmaster_check p ON p.domain_id = d.id AND p.state = 'verified'
    WHERE d.state IN ('attested', 'verified')
    UNION ALL
    SELECT 138, 'changes of the period that the audit log ascribes to somebody', count(*) FILTER (WHERE actor <> ''), count(*)
    FROM audit WHERE at >= $2::timestamptz AND at < $3::timestamptz AND ($1::text IS NULL OR tenant_id = $1::text)
)
SELECT jsonb_agg(jsonb_build_array(requirement, what, good, n, CASE WHEN n > 0 THEN good >= n END)
                 ORDER BY requirement, what)::text
FROM looked
