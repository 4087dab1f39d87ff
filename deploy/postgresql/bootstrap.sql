-- Run once by the database's administrator, before `tenantd migrate`:
--   psql -v ON_ERROR_STOP=1 -v owner_password=… -v gateway_password=… (and so on) -f bootstrap.sql
-- Makes the roles of CONVENTIONS and the database. No role is superuser or BYPASSRLS; only
-- sg_owner owns anything, and no daemon logs in as sg_owner but `tenantd migrate`.
SET password_encryption = 'scram-sha-256';
CREATE ROLE sg_owner LOGIN PASSWORD :'owner_password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
CREATE ROLE sg_gateway LOGIN PASSWORD :'gateway_password' NOSUPERUSER NOBYPASSRLS;
CREATE ROLE sg_tenant LOGIN PASSWORD :'tenant_password' NOSUPERUSER NOBYPASSRLS;
CREATE ROLE sg_api LOGIN PASSWORD :'api_password' NOSUPERUSER NOBYPASSRLS;
CREATE ROLE sg_provider LOGIN PASSWORD :'provider_password' NOSUPERUSER NOBYPASSRLS;
CREATE ROLE sg_auth LOGIN PASSWORD :'auth_password' NOSUPERUSER NOBYPASSRLS;
CREATE ROLE sg_audit LOGIN PASSWORD :'audit_password' NOSUPERUSER NOBYPASSRLS;
CREATE ROLE sg_postfix LOGIN PASSWORD :'postfix_password' NOSUPERUSER NOBYPASSRLS;
CREATE DATABASE sealgate OWNER sg_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE sealgate FROM PUBLIC;
GRANT CONNECT ON DATABASE sealgate
    TO sg_gateway, sg_tenant, sg_api, sg_provider, sg_auth, sg_audit, sg_postfix;
ALTER DATABASE sealgate SET search_path = sealgate;
ALTER DATABASE sealgate SET timezone = 'UTC';
