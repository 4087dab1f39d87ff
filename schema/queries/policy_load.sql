-- What a domain's own level, its tenant's and the platform's set; the nearest has the say.
SELECT (s->>'hold_lifetime_hours')::int8, (s->>'hold_retry_minutes')::int8, s->>'notice_form',
    (s->>'notice_repeat_hours')::int8, (s->>'notice_burst')::int8, s->>'notice_addition',
    s->>'administrator_address', (s->>'administrator_notices')::bool, s->>'unverified_action',
    s->>'unverified_form', s->>'unknown_encrypted', s->>'undecodable_action',
    (s->>'attachment_scanning')::bool, (s->>'receipts_for_unauthenticated')::bool,
    (s->>'seal_to_correspondents')::bool, (s->>'discovery_approval')::bool,
    (s->>'classification_approval')::bool, (s->>'crl_bypass_until')::timestamptz,
    (s->>'crl_grace_hours')::int8,
    (s->>'weak_algorithms')::bool, s->>'changed_certificate'
FROM (
    SELECT coalesce(p.settings, '{}') || coalesce(t.settings, '{}') || coalesce(o.settings, '{}') AS s
    FROM domain d
    LEFT JOIN policy p ON p.tenant_id IS NULL
    LEFT JOIN policy t ON t.tenant_id = d.tenant_id AND t.domain_id IS NULL
    LEFT JOIN policy o ON o.tenant_id = d.tenant_id AND o.domain_id = d.id
    WHERE d.id = $1::text) AS levels
