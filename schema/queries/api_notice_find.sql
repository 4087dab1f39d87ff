SELECT id, created_at, msg_id, tenant_id, domain_id, kind, state, recipient, codes, partner,
    ARRAY(SELECT i.address FROM notice_item i WHERE i.notice_id = n.id ORDER BY i.about LIMIT 20),
    stands_for, summary_id, attempts, last_error, next_try_at, finished_at
FROM notice n WHERE tenant_id = $1::text AND id = $2::text
