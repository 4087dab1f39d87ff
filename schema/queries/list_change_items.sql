SELECT name, added FROM list_change_item WHERE change_id = $1::text ORDER BY name
