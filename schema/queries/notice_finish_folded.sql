UPDATE notice SET original = '', wrapped_key = '', finished_at = $2::timestamptz
WHERE summary_id = $1::text AND state = 'folded'
