INSERT INTO notice (id, tenant_id, domain_id, kind, recipient, original, wrapped_key, state, created_at,
    next_try_at, codes, partner, stands_for, began_at)
SELECT summary_id, tenant_id, domain_id, kind, recipient, '', '', 'pending', $2::timestamptz,
    $2::timestamptz, codes, partner, folded, began_at
FROM notice_fold WHERE summary_id = $1::text
