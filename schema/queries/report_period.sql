SELECT ($1::text || '-01')::date::timestamp AT TIME ZONE $2::text,
       (($1 || '-01')::date + interval '1 month') AT TIME ZONE $2,
       to_char(($1 || '-01')::date, 'FMMonth YYYY'),
       to_char(($1 || '-01')::date, 'FMDD FMMonth YYYY, HH24:MI'),
       to_char(least(($1 || '-01')::date + interval '1 month', $3::timestamptz AT TIME ZONE $2),
               'FMDD FMMonth YYYY, HH24:MI')
