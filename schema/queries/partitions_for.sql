SELECT partitions_for($1)::text
