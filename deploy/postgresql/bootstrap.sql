-- Run once by the database's administrator, before `tenantd migrate`:
--   psql -v ON_ERROR_STOP=1 -f bootstrap.sql
-- with the passwords as psql variables owner_password, gateway_password, tenant_password,
-- api_password, provider_password, auth_password, audit_password and postfix_password: set them by
-- \set in a file of its own given with a first -f (mode 0600), so that none stands in an argument.
-- Makes the roles of CONVENTIONS and the database. No role is superuser or BYPASSRLS; only
-- sg_owner owns anything, and no daemon logs in as sg_owner but `tenantd migrate`.
SET password_encryption = 'scram-sha-256';
-- Statements with passwords stay out of the server's log.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
CREATE ROLE sg_owner LOGIN PASSWORD :'owner_password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
CREATE ROLE sg_gateway LOGIN PASSWORD :'gateway_password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
CREATE ROLE sg_tenant LOGIN PASSWORD :'tenant_password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
CREATE ROLE sg_api LOGIN PASSWORD :'api_password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
CREATE ROLE sg_provider LOGIN PASSWORD :'provider_password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
CREATE ROLE sg_auth LOGIN PASSWORD :'auth_password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
CREATE ROLE sg_audit LOGIN PASSWORD :'audit_password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
CREATE ROLE sg_postfix LOGIN PASSWORD :'postfix_password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
CREATE DATABASE sealgate OWNER sg_owner ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0;
REVOKE ALL ON DATABASE sealgate FROM PUBLIC;
GRANT CONNECT ON DATABASE sealgate
    TO sg_gateway, sg_tenant, sg_api, sg_provider, sg_auth, sg_audit, sg_postfix;
ALTER DATABASE sealgate SET search_path = sealgate;
ALTER DATABASE sealgate SET timezone = 'UTC';
-- No statement of ours runs for long enough to be worth compiling; where the planner's guess is high, as
-- in the sweeps of certificates, each connection compiled for a second what runs in milliseconds.
ALTER DATABASE sealgate SET jit = off;
