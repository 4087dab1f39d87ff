INSERT INTO list_change_item (change_id, name, added)
SELECT $1::text, unnest($2::text[]), true UNION ALL SELECT $1, unnest($3::text[]), false
