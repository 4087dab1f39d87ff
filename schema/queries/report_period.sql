SELECT ($1::text || '-01')::date::timestamp AT TIME ZONE $2::text,
       (($1 || '-01')::date + interval '1 month') AT TIME ZONE $2,
       to_char(($1 || '-01')::date, 'FMMonth YYYY')
