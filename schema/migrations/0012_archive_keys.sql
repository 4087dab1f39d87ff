-- REQ-133: a quarter's archive key is destroyed when the last data key that was wrapped to it is gone:
-- active, then retired (nothing is wrapped to it any more), then destroyed in the HSM.
SET LOCAL search_path = sealgate;

ALTER TABLE archive_key
    ADD COLUMN state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'retired', 'destroyed')),
    ADD COLUMN retired_at timestamptz,
    ADD COLUMN destroyed_at timestamptz;
CREATE INDEX archive_data_key_key ON archive_data_key (archive_key_id);

-- The lock is what archive_key_idle.sql waits for: a key that is being wrapped to is not retired.
CREATE FUNCTION archive_key_in_use() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = sealgate, pg_temp AS $$
DECLARE
    now_is text;
BEGIN
    SELECT state INTO now_is FROM archive_key WHERE id = NEW.archive_key_id FOR KEY SHARE;
    IF now_is <> 'active' THEN
        RAISE EXCEPTION 'the archive key is retired' USING ERRCODE = 'lock_not_available';
    END IF;
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION archive_key_in_use() FROM PUBLIC;
CREATE TRIGGER in_use BEFORE INSERT ON archive_data_key FOR EACH ROW EXECUTE FUNCTION archive_key_in_use();

ALTER TABLE disposal
    DROP CONSTRAINT disposal_method_check,
    ADD CONSTRAINT disposal_method_check CHECK (method IN ('rows', 'partition', 'key'));

-- Once it is destroyed in the HSM: a wrapped one is nowhere but here.
CREATE FUNCTION archive_key_destroyed(key text, now timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = sealgate, pg_temp AS $$
DECLARE
    k archive_key;
BEGIN
    UPDATE archive_key SET state = 'destroyed', blob = NULL, destroyed_at = now
        WHERE id = key AND state = 'retired' RETURNING * INTO k;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO disposal (id, at, class, tenant_id, method, relation, rows, oldest, newest, cutoff, policy, actor)
    VALUES (id_new('dsp'), now, 'archive', NULL, 'key', 'archive_key', 1, k.created_at, k.created_at, k.retired_at,
            format('the key of %s, after its last data key', k.quarter), current_setting('app.actor'));
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION archive_key_destroyed(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION archive_key_destroyed(text, timestamptz) TO sg_tenant;
