WITH wanted AS (SELECT unnest($2::text[]) COLLATE "C" AS name),
     present AS (SELECT name::text COLLATE "C" AS name FROM member_domain
                 WHERE environment = $1::text AND source = 'directory')
SELECT name, true AS added FROM (SELECT name FROM wanted EXCEPT SELECT name FROM present) a
UNION ALL
SELECT name, false FROM (SELECT name FROM present EXCEPT SELECT name FROM wanted) r
ORDER BY name
