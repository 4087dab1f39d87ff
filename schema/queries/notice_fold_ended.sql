SELECT summary_id, folded FROM notice_fold
WHERE ends_at <= $1::timestamptz ORDER BY ends_at LIMIT $2::int4 FOR UPDATE SKIP LOCKED
