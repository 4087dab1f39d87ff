-- What is deleted unverified, by a domain's choice, is in the audit log (REQ-76).
SET LOCAL search_path = sealgate;

CREATE FUNCTION message_discarded_audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = sealgate, pg_temp AS $$
BEGIN
    INSERT INTO audit (at, tenant_id, actor, address, request_id, action, object, object_id, before, after)
    VALUES (current_setting('app.now')::timestamptz, NEW.tenant_id, current_setting('app.actor'), '', '', 'delete', 'message',
            NEW.msg_id, NULL, to_jsonb(NEW));
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION message_discarded_audit() FROM PUBLIC;
CREATE TRIGGER discarded_insert AFTER INSERT ON message_recipient FOR EACH ROW
    WHEN (NEW.outcome = 'discarded') EXECUTE FUNCTION message_discarded_audit();
CREATE TRIGGER discarded_update AFTER UPDATE ON message_recipient FOR EACH ROW
    WHEN (NEW.outcome = 'discarded' AND OLD.outcome <> 'discarded')
    EXECUTE FUNCTION message_discarded_audit();
