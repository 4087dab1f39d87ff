SELECT n.original, n.wrapped_key, n.sealed_as, n.created_at,
    coalesce((SELECT string_agg(i.address, ', ' ORDER BY i.about) FROM notice_item i
              WHERE i.notice_id = n.id), ''),
    (SELECT min(i.retry_at) FROM notice_item i WHERE i.notice_id = n.id)
FROM notice n WHERE n.summary_id = $1::text AND n.original <> ''
ORDER BY n.created_at, n.id LIMIT $2::int4
