-- One instant may have several records, and a record several steps.
SELECT e.key, e.at, e.seq, e.step, e.requirement, e.detail
FROM (SELECT lpad(seq::text, 10, '0') || '_' || encode(record_id, 'hex') COLLATE "C" AS key, at, seq,
             step, requirement, detail::text AS detail
      FROM trace_event WHERE tenant_id = $1::text AND msg_id = $2::text) AS e
WHERE $3::timestamptz IS NULL OR (e.at, e.key) > ($3::timestamptz, $4::text)
ORDER BY e.at, e.key LIMIT $5::int8
