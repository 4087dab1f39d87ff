-- What was answered last was signed when? What was signed no later is not answered again: whoever has captured a
-- request cannot have it answered anew.
SET LOCAL search_path = sealgate;

ALTER TABLE certificate_answer ADD COLUMN signed_at timestamptz NOT NULL DEFAULT 'epoch';
