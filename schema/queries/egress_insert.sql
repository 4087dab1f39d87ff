INSERT INTO egress_network (id, network, created_at)
SELECT DISTINCT n, n::cidr, $2::timestamptz FROM unnest($1::text[]) AS n
ON CONFLICT DO NOTHING
