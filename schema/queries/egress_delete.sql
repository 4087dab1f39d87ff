DELETE FROM egress_network WHERE id <> ALL ($1::text[])
