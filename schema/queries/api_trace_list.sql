-- One instant may have several records, and a record several steps. They are found by when the message was received.
SELECT e.key, e.at, e.seq, e.step, e.requirement, e.detail
FROM (SELECT lpad(t.seq::text, 10, '0') || '_' || encode(t.record_id, 'hex') COLLATE "C" AS key, t.at, t.seq,
             t.step, t.requirement, t.detail::text AS detail
      FROM message m JOIN trace_event t ON t.received_at = m.received_at AND t.msg_id = m.id
      WHERE m.tenant_id = $1::text AND m.id = $2::text AND t.tenant_id = $1::text AND t.msg_id = $2::text) AS e
WHERE $3::timestamptz IS NULL OR (e.at, e.key) > ($3::timestamptz, $4::text)
ORDER BY e.at, e.key LIMIT $5::int8
