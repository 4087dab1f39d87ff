-- A notice that a message waits for the recipient's own server (REQ-184).
SET LOCAL search_path = sealgate;

ALTER TABLE notice
    DROP CONSTRAINT notice_kind_check,
    ADD CONSTRAINT notice_kind_check CHECK (kind IN ('failure', 'delayed', 'non-delivery', 'receipt',
        'waiting', 'unverified', 'system-failure', 'system-warning', 'quarantine', 'breach', 'certificate'));
