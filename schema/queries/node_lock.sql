-- For as long as this session lasts; where another one has it, who that is. 1936023916 is "seal" in ASCII.
SELECT pg_try_advisory_lock(1936023916, hashtext($1::text)),
       coalesce(host(a.client_addr), ''), coalesce(a.backend_start::text, '')
FROM (SELECT 1) AS here
LEFT JOIN LATERAL (SELECT a.client_addr, a.backend_start FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.classid = 1936023916 AND l.objsubid = 2 AND a.datname = current_database()
      AND l.objid = (hashtext($1::text)::int8 & 4294967295)::oid AND l.pid <> pg_backend_pid() LIMIT 1) a ON true
