SELECT id, created_at, msg_id, tenant_id, domain_id, kind, state, recipient, codes, partner,
    ARRAY(SELECT i.address FROM notice_item i WHERE i.notice_id = n.id ORDER BY i.about LIMIT 20),
    stands_for, summary_id, attempts, last_error, next_try_at, finished_at
FROM notice n
WHERE tenant_id = $1::text AND ($2::text IS NULL OR state = $2::text)
  AND ($3::text IS NULL OR kind = $3::text) AND ($4::text IS NULL OR recipient = $4::text)
  AND ($5::text IS NULL OR msg_id = $5::text) AND ($6::text IS NULL OR summary_id = $6::text)
  AND ($7::timestamptz IS NULL OR (created_at, id) > ($7::timestamptz, $8::text))
ORDER BY created_at, id LIMIT $9::int8
