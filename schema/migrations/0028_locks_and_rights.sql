-- Who reads for long keeps nobody waiting, and no role may what it does not do.
SET LOCAL search_path = sealgate;

-- A month that is made by PARTITION OF takes its parent for itself: behind a report or a backup that reads the parent
-- it waits, and behind it wait all who write. By ATTACH it is made beside readers and writers. The new table is empty,
-- so that nothing is scanned; its indexes and triggers come with ATTACH, its sequences (audit.id) are the parent's. Who
-- alters a table meanwhile is waited for no longer than others may wait behind this one.
CREATE OR REPLACE FUNCTION partitions_ensure(first date, months integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = sealgate, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    t text;
    month date;
    name text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('sealgate.partitions_ensure'));
    FOR i IN 0..months - 1 LOOP
        month := date_trunc('month', first) + make_interval(months => i);
        FOR t IN SELECT relname FROM pg_class
                 WHERE relkind = 'p' AND relnamespace = 'sealgate'::regnamespace ORDER BY relname LOOP
            name := t || to_char(month, '_YYYY_MM');
            CONTINUE WHEN to_regclass(quote_ident(name)) IS NOT NULL;
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL EXCLUDING COMMENTS EXCLUDING IDENTITY
                            EXCLUDING INDEXES EXCLUDING STATISTICS)', name, t);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                t, name, month, month + interval '1 month');
        END LOOP;
    END LOOP;
END $$;

-- Whose certificate came, or was approved: gatewayd makes what is held for want of one due, in portions. To store a
-- certificate takes no longer, however much of that there is.
CREATE TABLE held_wake (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partner dns_name NOT NULL,
    after text COLLATE "C" NOT NULL DEFAULT '' -- the last held message that was made due
);
GRANT SELECT, INSERT, UPDATE, DELETE ON held_wake TO sg_gateway;
GRANT INSERT ON held_wake TO sg_provider;
CREATE OR REPLACE FUNCTION partner_certificate_wake() RETURNS trigger LANGUAGE plpgsql
    SET search_path = sealgate, pg_temp AS $$
BEGIN
    INSERT INTO held_wake (partner)
    SELECT NEW.domain WHERE EXISTS (SELECT FROM held_message WHERE recipient_domain = NEW.domain AND state = 'held');
    IF FOUND THEN
        PERFORM pg_notify('sealgate_held', '');
    END IF;
    RETURN NULL;
END $$;
DROP INDEX held_message_partner;
CREATE INDEX held_message_partner ON held_message (recipient_domain, id) WHERE state = 'held';

-- Of held mail: … that somebody released it; that gatewayd itself comes to it sooner is one of its retries.
DROP TRIGGER audit_update ON held_message;
CREATE TRIGGER audit_update AFTER UPDATE ON held_message FOR EACH ROW
    WHEN (OLD.state <> NEW.state
          OR (NEW.next_try_at < OLD.next_try_at AND current_setting('app.actor', true) IS DISTINCT FROM 'gatewayd'))
    EXECUTE FUNCTION audit_write();

-- A tenant's last acknowledgement makes it active, if it was pending; nothing else of its state is its own to change.
CREATE POLICY acknowledged ON tenant AS RESTRICTIVE FOR UPDATE TO sg_api
    USING (state = 'pending') WITH CHECK (state = 'active');
REVOKE UPDATE (state_reason) ON tenant FROM sg_api;

-- gatewayd reads strangers' mail, and the retention log is evidence (REQ-117): what its statements do not do it may not.
REVOKE UPDATE ON message, trace_event, held_chunk FROM sg_gateway;
REVOKE DELETE ON held_message, partner_certificate, certificate_request, certificate_answer FROM sg_gateway;
