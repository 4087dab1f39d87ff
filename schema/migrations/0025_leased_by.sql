-- Whose lease it is. What an attempt sent before its gatewayd was killed only that node can know, by its courier and its
-- journal: the others leave what it has leased to it for a while after the lease has run out.
SET LOCAL search_path = sealgate;

ALTER TABLE held_message ADD COLUMN leased_by text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE notice ADD COLUMN leased_by text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE certificate_request ADD COLUMN leased_by text COLLATE "C" NOT NULL DEFAULT '';
