SELECT disposal_partition($1::timestamptz)
