DELETE FROM directory_source WHERE id = $1::text
