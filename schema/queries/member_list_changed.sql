UPDATE member_list l
SET version = $2::text, changed_at = $3::timestamptz,
    members = (SELECT count(*) FROM member_domain m
               WHERE m.environment = l.environment AND m.source = 'directory')
WHERE id = $1::text
