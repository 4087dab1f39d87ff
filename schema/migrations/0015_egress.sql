-- REQ-125: the networks that secure mail may be sent into. While there is none, nothing is checked.
SET LOCAL search_path = sealgate;

CREATE TABLE egress_network (
    id text COLLATE "C" PRIMARY KEY, -- the network, as it is written
    network cidr NOT NULL UNIQUE,
    created_at timestamptz NOT NULL
);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON egress_network
    FOR EACH ROW EXECUTE FUNCTION audit_write();
CREATE TRIGGER notify AFTER INSERT OR UPDATE OR DELETE ON egress_network
    FOR EACH STATEMENT EXECUTE FUNCTION config_notify();
GRANT SELECT ON egress_network TO sg_gateway, sg_tenant, sg_provider;
GRANT INSERT, DELETE ON egress_network TO sg_provider;
