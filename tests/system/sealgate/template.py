"""The templates of deploy/, rendered by deploy/render's own code."""
import re
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

from . import layout as lay


def _load():
    loader = SourceFileLoader("sealgate_render", str(lay.ROOT / "deploy/render"))
    module = module_from_spec(spec_from_loader("sealgate_render", loader))
    keep, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = keep
    return module


_render = _load()
render, sealed_routes = _render.render, _render.sealed_routes


def change(text, settings):
    """A daemon's configuration with other settings, {"section.key": value}."""
    for name, value in settings.items():
        section, key = name.split(".", 1)
        sections = re.split(r"(?m)^(?=\[)", text)
        head = f"[{section}]\n"
        for i, part in enumerate(sections):
            if part.startswith(head):
                kept = re.sub(rf"(?m)^{re.escape(key)} *=.*\n", "", part[len(head):])
                sections[i] = f"{head}{key} = {value}\n{kept}"
                break
        else:
            sections.append(f"\n{head}{key} = {value}\n")
        text = "".join(sections)
    return text


def values(layout, routes, peer_port, log_level="info", dns=False, **more):
    """The values of a private Sealgate; the names are those of deploy/production.values."""
    port = layout.port
    static = "".join(f"{domain} smtp:[127.0.0.1]:{to}\n" for domain, to in routes.items())
    return {
        "node": "gw1",
        "hostname": "gateway.sealgate.test",
        "provider": "Kea Secure Mail",
        "time_zone": "Pacific/Auckland",
        "securemail_administrator": "",
        "hostname_out": "out.sealgate.test",
        "hostname_in": "in.sealgate.test",
        "run_dir": layout.run,
        "secrets_dir": layout.secrets,
        "spool_dir": layout.spool,
        "journal_dir": layout.archive / "journal",
        "export_dir": layout.exports,
        "log_dir": layout.log,
        "libexec_dir": layout.bin,
        "gateway_user": lay.GATEWAY,
        "tenant_user": lay.TENANT,
        "socket_group": lay.GROUP,
        "log_level": log_level,
        "pkcs11_module": "/usr/lib/softhsm/libsofthsm2.so",
        "pkcs11_token": "sealgate",
        "hsm_sessions": 16,
        "database_conninfo": f"host={layout.run / 'pg'} port={port['postgresql']} dbname=sealgate",
        "postfix_db_uri": f"postgresql:///sealgate?host={layout.run / 'pg'}"
                          f"&port={port['postgresql']}&user=sg_postfix&connect_timeout=5"
                          f"&passfile={layout.secrets / 'pgpass.postfix'}",
        "outbound_port": port["outbound"],
        "inbound_port": port["inbound"],
        "reentry_port": port["reentry"],
        "sealed_host": "127.0.0.11",  # a port of its own is not left in a block
        "sealed_port": port["reentry"],
        "egress_table": layout.etc / "egress.cidr",
        "sealed_source": "",
        "sealed_source6": "",
        "smtp_chroot": "n",
        "policy_socket": layout.run / "policy.sock",
        "recipient_socket": layout.run / "recipients.sock",
        "bounce_socket": layout.run / "bounce.sock",
        **{f"ops_{daemon}": f"unix:{layout.ops(daemon)}"
           for daemon in ("gatewayd", "tenantd", "apid", "hsmd")},
        "api_listen": f"127.0.0.1:{port['api']}",
        "out_dir": layout.postfix_out,
        "out_etc": layout.postfix_out / "etc",
        "in_dir": layout.postfix_in,
        "in_etc": layout.postfix_in / "etc",
        "listen_addresses": "127.0.0.1",
        "inet_protocols": "ipv4",
        "out_listen": f"127.0.0.1:{port['postfix_out']}",
        "in_listen": f"127.0.0.1:{port['postfix_in']}",
        "peer_listen": f"{lay.PEER_HOST}:{port['postfix_in']}",  # as with sealed_host; a tap forwards to it
        "peer_port": peer_port,
        # In clear on this host's loopback, so that the wire can be looked at.
        "peer_tls": "none",
        "routes": static,
        "sealed_routes": sealed_routes(static),
        "default_transport": "error:5.1.2 no route from a private Sealgate to the world",
        "dns": "disabled",
        "peername_lookup": "no",
        "tls_cert": layout.secrets / "smtp.cert.pem",
        "tls_key": layout.secrets / "smtp.key.pem",
        "message_size": 62914560,
        "transit_size": 104857600,
        "gateway_processes": 40,
        "world_processes": 300,
        "world_timeout": "60s",
        "edge_processes": 500,
        "edge_timeout": 60,
        "edge_connections": 20,
        "active_messages": 100000,
        # Quick to try again, since tests take things away and bring them back.
        "queue_run_delay": "2s",
        "minimal_backoff_time": "2s",
        "maximal_backoff_time": "4s",
        "transport_retry_time": "2s",
        "queue_lifetime": "1d",
        # Without a DNS of our own nobody is asked: port 1 answers nothing.
        "dns_trust_anchor": layout.dns / "root.key" if dns else "/usr/share/dns/root.key",
        "dns_forwarders": f"127.0.0.1@{port['dns'] if dns else 1}",
        "dns_reserved": "test",
        "mail_server": "127.0.0.1",
        "mail_port": port["postfix_out"],
        "mail_ca_file": layout.secrets / "smtp.cert.pem",
        "mail_source_address": "127.0.0.1",
        "mail_sender": "sealgate@provider.test",
        **more,
    }
