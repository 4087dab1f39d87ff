INSERT INTO directory_source_state (source_id, succeeded_at)
SELECT id, $2::timestamptz FROM directory_source WHERE id = $1::text
ON CONFLICT (source_id) DO UPDATE
SET succeeded_at = $2, last_error = '', failures = 0, retry_at = NULL
