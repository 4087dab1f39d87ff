-- One request a partner and period: the next one to need it asks again, once the period is over. It is looked
-- first, so that the many who wait do not wait for each other.
INSERT INTO certificate_request AS r (partner, id, tenant_id, domain_id, state, created_at, next_try_at)
SELECT $1::text, $2::text, $3::text, $4::text, 'pending', $5::timestamptz, $5::timestamptz
WHERE NOT EXISTS (SELECT FROM certificate_request o
    WHERE o.partner = $1::text AND (o.state = 'pending' OR o.created_at > $6::timestamptz))
ON CONFLICT (partner) DO UPDATE
SET id = excluded.id, tenant_id = excluded.tenant_id, domain_id = excluded.domain_id, state = 'pending',
    created_at = excluded.created_at, next_try_at = excluded.next_try_at, leased_by = '', attempts = 0, last_error = '',
    sent_at = NULL, answered_at = NULL
WHERE r.state <> 'pending' AND r.created_at <= $6::timestamptz
