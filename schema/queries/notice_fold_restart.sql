-- The storm may go on: what comes now is for the next summary, until a period has none.
UPDATE notice_fold
SET summary_id = $2::text, began_at = $3::timestamptz,
    ends_at = $3::timestamptz + (ends_at - began_at), folded = 0
WHERE summary_id = $1::text
