-- Of held mail: how often somebody asked that it be tried. An attempt that had begun before cannot take that back; and whoever
-- released what is due already, or is over its time, is in the audit log like everybody else.
SET LOCAL search_path = sealgate;

ALTER TABLE held_message ADD COLUMN releases integer NOT NULL DEFAULT 0;
GRANT UPDATE (releases) ON held_message TO sg_api, sg_provider, sg_tenant;

DROP TRIGGER audit_update ON held_message;
CREATE TRIGGER audit_update AFTER UPDATE ON held_message FOR EACH ROW
    WHEN (OLD.state <> NEW.state
          OR ((NEW.next_try_at < OLD.next_try_at OR NEW.releases <> OLD.releases
               OR NEW.approved_at IS DISTINCT FROM OLD.approved_at)
              AND current_setting('app.actor', true) IS DISTINCT FROM 'gatewayd'))
    EXECUTE FUNCTION audit_write();

-- What was held of a message, whatever became of it: asked for when Postfix brings the message again.
CREATE INDEX held_message_message ON held_message (msg_id);
