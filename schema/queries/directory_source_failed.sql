INSERT INTO directory_source_state (source_id, failed_at, last_error, failures, retry_at)
SELECT id, $2::timestamptz, $3::text, 1, $4::timestamptz FROM directory_source WHERE id = $1::text
ON CONFLICT (source_id) DO UPDATE
SET failed_at = $2, last_error = $3, failures = directory_source_state.failures + 1, retry_at = $4
