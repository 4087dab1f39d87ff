-- What a mail brought is not written again for hours, by those who keep in memory that they have: where somebody has it
-- forgotten it may be found again at once.
SET LOCAL search_path = sealgate;

CREATE TRIGGER notify_delete AFTER DELETE ON partner_certificate FOR EACH ROW
    EXECUTE FUNCTION config_notify();
