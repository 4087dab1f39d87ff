DELETE FROM notice_fold WHERE summary_id = $1::text
