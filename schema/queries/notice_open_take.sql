-- Notices to which nothing comes any more, with what they are folded by.
SELECT n.id, n.tenant_id, n.domain_id, n.kind, n.recipient, k.items, k.codes, k.partner
FROM notice n CROSS JOIN LATERAL (
    SELECT count(*)::int8 AS items,
        coalesce(string_agg(DISTINCT i.code, ', ' ORDER BY i.code) FILTER (WHERE i.code <> ''), '')
            AS codes,
        CASE WHEN min(i.partner) = max(i.partner) THEN min(i.partner) ELSE '' END AS partner
    FROM notice_item i WHERE i.notice_id = n.id) AS k
WHERE n.state = 'open' AND n.kind <> 'receipt' AND n.next_try_at <= $1::timestamptz
ORDER BY n.next_try_at LIMIT $2::int4 FOR UPDATE OF n SKIP LOCKED
