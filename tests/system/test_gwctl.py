"""gwctl over the real API: the way of an operator from a tenant to its certificate, held mail, trace."""
import hashlib
import json
import os
import re
import socket
import socketserver
import subprocess
import threading
import time

import pytest

from apienv import BUILD, OPENAPI, Platform, new_id

NOW = int(time.time()) * 1000000
pytestmark = pytest.mark.smoke  # it goes through most of apid and tenantd


@pytest.fixture(scope="module")
def platform():
    with Platform() as p:
        p.root_pem = p.ca()
        yield p


@pytest.fixture(scope="module")
def gwctl(platform):
    def run(*arguments, status=0, **environment):
        env = {"PATH": "/usr/bin:/bin", "SEALGATE_URL": f"http://127.0.0.1:{platform.port}",
               "SEALGATE_TOKEN_FILE": str(platform.token_file),
               "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""), **environment}
        result = subprocess.run([BUILD / "bin/gwctl", *map(str, arguments)], text=True, env=env,
                                capture_output=True, stdin=subprocess.DEVNULL, timeout=150)
        assert result.returncode == status, (arguments, result.stdout, result.stderr)
        if status:
            assert re.fullmatch(r"gwctl: [^\n]+\n", result.stderr), result.stderr
            return result.stderr
        return result.stdout

    return run


def fields(text):
    return dict(re.match(r"(\S+)\s+(.*)", line).groups()
                for line in text.splitlines() if line and line[0] != " ")


def test_from_a_tenant_to_its_certificate(platform, gwctl, tmp_path):
    gwctl("anchor", "add", platform.dir / "ca/root.pem")
    tenant = fields(gwctl("tenant", "create", "--name", "Agency A"))["id"]
    domain = fields(gwctl("domain", "add", tenant, "A.agency.test", "--environment", "seemail"))
    assert domain["name"] == "a.agency.test" and domain["state"] == "attested"
    # From here on by name.
    at = ("Agency A", "a.agency.test")
    gwctl("next-hop", "set", *at, "--host", "127.0.0.1", "--port", 2525, "--protocol", "smtp",
          "--tls", "verified", "--ca-file", platform.dir / "ca/root.pem")
    shown = gwctl("next-hop", "show", *at)
    assert fields(shown)["port"] == "2525" and "    -----BEGIN CERTIFICATE-----\n" in shown
    gwctl("submitter", "add", tenant, "--network", "192.0.2.0/24", "--description", "mail room")
    made = json.loads(gwctl("submitter", "add", tenant, "--certificate-file",
                            platform.dir / "ca/root.pem", "--json"))
    expected = subprocess.run(["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in",
                               platform.dir / "ca/root.pem"], capture_output=True, text=True)
    assert made["fingerprint"] == expected.stdout.strip().split("=")[1].replace(":", "").lower()
    table = gwctl("submitter", "list", tenant)
    assert "192.0.2.0/24" in table and "mail room" in table and table.startswith("ID ")
    assert gwctl("submitter", "remove", tenant, made["id"]) == f"removed: {made['id']}\n"

    key = json.loads(gwctl("key", "create", *at, "--algorithm", "rsa-2048", "--kind", "wrapped",
                           "--wait", "--json"))
    assert key["state"] == "active"
    csr = tmp_path / "a.csr"
    assert str(csr) in gwctl("csr", *at, key["id"], "--out", csr)
    assert gwctl("csr", *at, key["id"], "--out", "-").startswith("-----BEGIN CERTIFICATE REQUEST")
    platform.refca("issue", csr, "--out", tmp_path / "a.pem")
    installed = fields(gwctl("certificate", "install", *at, tmp_path / "a.pem", "--wait"))
    assert installed["state"] == "active" and installed["key_id"] == key["id"]
    assert installed["id"] in gwctl("certificate", "list", *at)
    gwctl("certificate", "show", *at, installed["id"])
    assert key["id"] in gwctl("key", "list", *at)
    gwctl("key", "show", *at, key["id"])

    # Without --wait the job can be looked at.
    accepted = json.loads(gwctl("key", "create", *at, "--algorithm", "rsa-2048", "--kind", "token",
                                "--json"))
    job = json.loads(gwctl("job", "show", tenant, accepted["job"]["id"], "--wait", "--json"))
    assert job["state"] == "done"
    assert "key.generate" in gwctl("job", "list", tenant)
    # A job that fails says why, in a line.
    message = gwctl("certificate", "install", *at, platform.dir / "ca/root.pem", "--wait", status=1)
    assert "certificate.install failed: " in message
    audit = gwctl("audit", tenant, "--limit", 3)
    assert audit.count("\n") == 4 and "the tests" in audit


def test_platform_lists(platform, gwctl):
    anchor, = json.loads(gwctl("anchor", "list", "--json"))
    assert anchor["subject"] in gwctl("anchor", "list")
    assert "accredited already" in gwctl("anchor", "add", platform.dir / "ca/root.pem", status=1)
    gwctl("anchor", "remove", anchor["id"])
    assert gwctl("anchor", "list").count("\n") == 1
    directory = fields(gwctl("directory", "add", "ldaps://127.0.0.1:636", "--base-dn", "c=NZ",
                             "--ca-file", platform.dir / "ca/root.pem", "--position", 1))
    assert directory["url"] == "ldaps://127.0.0.1:636" and directory["position"] == "1"
    assert directory["id"] in gwctl("directory", "list")
    gwctl("directory", "remove", directory["id"])
    member = fields(gwctl("member", "add", "partner.test", "--environment", "securemail"))
    assert member["id"] in gwctl("member", "list")
    gwctl("member", "remove", member["id"])
    assert member["id"] not in gwctl("member", "list")


def test_held_messages_and_trace(platform, gwctl):
    tenant = platform.tenant("held-agency")
    msg, one, two = new_id("msg"), new_id("hld"), new_id("hld")
    hold = {"msg_id": msg, "tenant_id": tenant.id, "domain_id": tenant.domain["id"],
            "sender": "joe@sender.test", "recipients": ["ann@recipient.test"], "at": NOW}
    platform.feed(
        {"id": msg, "tenant_id": tenant.id, "received_at": NOW, "direction": "outbound",
         "queue_id": "4Rq1X", "sender": "joe@sender.test", "message_id": "1\x1b[31m@sender.test",
         "recipients": [{"recipient": "ann@recipient.test", "outcome": "delivered",
                         "verdict": "sealed", "codes": "", "reply": "250 ok\u009b2J"}],
         "trace": [{"step": "certificate.checked", "requirement": "REQ-47",
                    "detail": {"subject": "cn=x", "steps": 3}}]},
        {**hold, "held_id": one}, {**hold, "held_id": two, "msg_id": new_id("msg")})

    assert one in gwctl("held", "list", tenant.id)
    assert fields(gwctl("held", "show", tenant.id, one))["attempts"] == "0"
    assert fields(gwctl("held", "release", tenant.id, one))["state"] == "held"
    assert gwctl("held", "delete", tenant.id, two) == f"deleted: {two}\n"
    assert "it is not held any more" in gwctl("held", "delete", tenant.id, two, status=1)
    assert two in gwctl("held", "list", tenant.id, "--state", "deleted")
    assert two not in gwctl("held", "list", tenant.id)

    listed = gwctl("messages", "held-agency", "--sender", "joe@sender.test", "--from",
                   "2020-01-01T00:00:00Z", "--direction", "outbound")
    assert msg in listed and "ann@recipient.test" in listed and "delivered" in listed
    assert gwctl("messages", tenant.id, "--queue-id", "other").count("\n") == 1
    trace = gwctl("trace", tenant.id, msg)
    assert re.search(r"certificate.checked +REQ-47 +steps=3 subject=cn=x\n", trace)
    assert "ann@recipient.test: delivered, sealed: 250 ok" in trace
    # What a stranger wrote does not command the terminal.
    assert "\x1b" not in trace and "\x9b" not in trace and "1?[31m@sender.test" in trace
    machine = json.loads(gwctl("trace", tenant.id, msg, "--json"))
    assert machine["message"]["id"] == msg and len(machine["trace"]) == 1
    gwctl("message", "show", tenant.id, msg)


def test_tokens(platform, gwctl, tmp_path):
    tenant = platform.tenant("token-agency")
    file = tmp_path / "token"
    made = gwctl("token", "create", "--name", "viewer", "--role", "tenant-viewer", "--tenant",
                 "token-agency", "--days", 3, "--out", file)
    assert file.stat().st_mode & 0o777 == 0o600 and "sgt_" not in made
    viewer = {"SEALGATE_TOKEN_FILE": str(file)}
    assert fields(gwctl("tenant", "show", tenant.id, **viewer))["name"] == "token-agency"
    assert "not found" in gwctl("tenant", "list", status=1, **viewer)
    assert "not allowed" in gwctl("domain", "add", tenant.id, "b.test", "--environment", "seemail",
                                  status=1, **viewer)
    assert "cannot write" in gwctl("token", "create", "--name", "x", "--role", "provider-admin",
                                   "--out", file, status=1)
    token = fields(made)["id"]
    assert token in gwctl("token", "list", "--limit", 1000)
    gwctl("token", "revoke", token)
    assert "(401, req_" in gwctl("tenant", "show", tenant.id, status=1, **viewer)
    shown = gwctl("token", "create", "--name", "shown", "--role", "provider-admin")
    assert re.search(r"token +sgt_[A-Za-z0-9_-]{43}\n", shown)


def test_how_it_is_called(platform, gwctl, tmp_path):
    usage = [(), ("tenant",), ("tenant", "make"), ("tenant", "create"), ("tenant", "show"),
             ("tenant", "create", "--name"), ("tenant", "create", "--name", "a", "--name", "b"),
             ("tenant", "create", "--name", "a", "extra"), ("tenant", "list", "--colour"),
             ("tenant", "list", "--limit", "many"), ("held", "show", new_id("ten"), "x/../y"),
             ("submitter", "add", new_id("ten")),
             ("submitter", "add", new_id("ten"), "--network", "x", "--fingerprint", "y"),
             ("next-hop", "set", new_id("ten"), new_id("dom"), "--host", "x", "--port", "0",
              "--protocol", "smtp", "--tls", "none")]
    for arguments in usage:
        gwctl(*arguments, status=2)
    gwctl("tenant", "list", status=2, SEALGATE_URL="")
    gwctl("tenant", "list", status=2, SEALGATE_TOKEN_FILE="")
    for url in ("http://api.test", "http://127.0.0.1.evil.test", "http://localhost@evil.test",
                "http://127.evil.test", "ftp://127.0.0.1", "file:///etc/passwd"):
        gwctl("tenant", "list", status=2, SEALGATE_URL=url)
    assert "/name: must have two labels" in gwctl(
        "member", "add", "test", "--environment", "seemail", status=1)
    assert "there is no tenant called Nobody" in gwctl("tenant", "show", "Nobody", status=1)
    gwctl("tenant", "create", "--name", "Twin")
    gwctl("tenant", "create", "--name", "Twin")
    assert "several tenants" in gwctl("tenant", "show", "Twin", status=2)
    gwctl("tenant", "list", status=1, SEALGATE_URL="http://127.0.0.1:1")
    open_token = tmp_path / "open"
    open_token.write_text(platform.token)
    open_token.chmod(0o644)
    gwctl("tenant", "list", status=1, SEALGATE_TOKEN_FILE=str(open_token))
    assert "next-hop set" in gwctl("--help") and gwctl("--version").startswith("gwctl ")
    assert "Twin" in gwctl("tenant", "list", SEALGATE_URL=f"unix:{platform.dir}/apid.sock")
    assert "Twin" in gwctl("tenant", "list", "--url", f"http://127.0.0.1:{platform.port}/",
                           SEALGATE_URL="http://api.test")
    assert gwctl("tenant", "list", "--limit", 1).count("\n") == 2


# What is made out of the description ----------------------------------------------------------------

def commands():
    return json.loads(subprocess.run([BUILD / "bin/gwctl", "--commands"], capture_output=True, check=True).stdout)


def test_every_operation_has_a_command():
    """And each of its fields and filters an option, but where a command of its own does it otherwise."""
    rows = {(c["method"], c["path"]): c for c in commands()}
    assert set(OPENAPI.operations) == set(rows)
    assert len({c["words"] for c in commands()}) >= len(rows) - 1
    listed = subprocess.run([BUILD / "bin/gwctl", "--help"], capture_output=True, text=True, check=True).stdout
    manual = subprocess.run([BUILD / "bin/gwctl", "--manual"], capture_output=True, text=True, check=True).stdout
    for words in {c["words"] for c in commands()}:
        assert f"  gwctl {words}" in listed and f".It Nm Cm {words}" in manual


def test_manual_reads_well(tmp_path):
    page = tmp_path / "gwctl.1"
    page.write_text(subprocess.run([BUILD / "bin/gwctl", "--manual"], capture_output=True, text=True, check=True).stdout)
    shown = subprocess.run(["groff", "-mdoc", "-Tutf8", "-ww", "-Wbreak", page], capture_output=True, text=True, check=True)
    assert shown.stderr == "" and "SEALGATE_TOKEN_FILE" in shown.stdout


@pytest.mark.parametrize("line,words", [("ten", {"tenant"}), ("tenant sus", {"suspend"}), ("contact create --pho", {"--phone"}),
                                        ("held li", {"list"}), ("domain policy ", {"set", "show"})])
def test_completion(tmp_path, line, words):
    script = tmp_path / "completion"
    script.write_text(subprocess.run([BUILD / "bin/gwctl", "completion", "bash"], capture_output=True, text=True,
                                     check=True).stdout)
    ask = f"""source {script}; COMP_WORDS=(gwctl {line}{" ''" if line.endswith(" ") else ""})
COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); _gwctl; printf '%s\\n' "${{COMPREPLY[@]}}" """
    got = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
    assert set(got.stdout.split()) == words and got.stderr == ""


def test_operations_by_the_table(platform, gwctl, tmp_path):
    tenant = platform.tenant("table-agency")
    made = fields(gwctl("contact", "create", "--role", "security", "--organisation", "The Provider", "--mailbox",
                        "security@provider.test", "--review-days", 30))
    assert made["review_days"] == "30" and made["stale"] == "no"
    assert "security@provider.test" in gwctl("provider", "contact", "list", "table-agency")
    assert "/mailbox" in gwctl("contact", "create", "--role", "security", "--organisation", "x", "--mailbox",
                               "jane.doe@provider.test", status=1)
    assert fields(gwctl("contact", "create", "--role", "abuse", "--organisation", "x", "--mailbox", "j.doe@provider.test",
                        "--role-mailbox", "true"))["role_mailbox"] == "yes"
    gwctl("contact", "delete", made["id"])
    text = tmp_path / "terms"
    text.write_text("Be good.\n")
    document = fields(gwctl("document", "create", "--kind", "terms", "--title", "Terms", "--version", "1",
                            "--text-file", text, "--required", "true"))
    assert document["id"] in gwctl("tenant", "document", "list", "table-agency", "--outstanding", "true")
    gwctl("acknowledgement", "create", "table-agency", "--document-id", document["id"], "--sha256", document["sha256"],
          "--role", "CIO")
    assert document["id"] not in gwctl("tenant", "document", "list", "table-agency", "--outstanding", "true")
    gwctl("document", "withdraw", document["id"])
    shown = json.loads(gwctl("domain", "policy", "set", "table-agency", "table-agency.test", "--hold-lifetime-hours", 48,
                             "--json"))
    assert shown["settings"] == {"hold_lifetime_hours": 48}
    assert fields(gwctl("tenant", "suspend", "table-agency", "--reason", "unpaid"))["state"] == "suspended"
    assert tenant.id in gwctl("tenant", "list", "--state", "suspended")
    gwctl("tenant", "resume", "table-agency")
    assert fields(gwctl("held", "bulk", tenant.id, "--action", "retry", "--all", "true", "--wait"))["state"] == "done"
    gwctl("tenant", "resume", "table-agency", status=1)
    assert fields(gwctl("export", "create", "table-agency", "--wait"))["state"] == "done"
    export, = json.loads(gwctl("export", "list", "table-agency", "--json"))
    gwctl("export", "content", "table-agency", export["id"], "--out", tmp_path / "export")
    assert hashlib.sha256((tmp_path / "export").read_bytes()).hexdigest() == export["sha256"]
    order = tmp_path / "order.json"
    order.write_text(json.dumps({"tenant": {"name": "Ordered Agency", "external_ref": "4712"}, "domains": [
        {"name": "ordered.test", "environment": "seemail"}]}))
    assert "ordered.test" in gwctl("provision", "--body-file", order)
    assert "Ordered Agency" in gwctl("tenant", "list", "--external-ref", "4712")
    assert gwctl("tenant", "list", "--all").count("\n") == len(platform.client().pages("/v1/tenants")) + 1
    for arguments in (("contact", "create", "--role", "abuse"), ("contact", "show", "x/../y"),
                      ("held", "bulk", tenant.id, "--action", "retry", "--all", "maybe"),
                      ("provision", "--body-file", text)):
        gwctl(*arguments, status=2)


class LosesAnswers(socketserver.StreamRequestHandler):
    """Hands each request on, and loses the first answers."""

    def handle(self):
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.rfile.readline()
        length = re.search(rb"Content-Length: (\d+)", head)
        body = self.rfile.read(int(length[1])) if length else b""
        with socket.create_connection(("127.0.0.1", self.server.target)) as onward:
            onward.sendall(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + body)
            answer = b""
            while part := onward.recv(65536):
                answer += part
        self.server.heads.append(head)
        if len(self.server.heads) > self.server.lost:
            self.wfile.write(answer)


def test_a_lost_answer_makes_nothing_twice(platform, gwctl):
    """The change is sent again with its key, and is made once."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), LosesAnswers) as server:
        server.target, server.heads, server.lost = platform.port, [], 2
        threading.Thread(target=server.serve_forever, daemon=True).start()
        gwctl("tenant", "create", "--name", "Once", SEALGATE_URL=f"http://127.0.0.1:{server.server_address[1]}")
        server.shutdown()
    keys = {re.search(rb"Idempotency-Key: (\S+)", head)[1] for head in server.heads}
    assert len(server.heads) == 3 and len(keys) == 1
    assert gwctl("tenant", "list", "--name", "Once").count("Once") == 1
    # A key of one's own: the same from elsewhere gets the same answer.
    first = gwctl("tenant", "create", "--name", "Keyed", "--idempotency-key", "order-1")
    assert gwctl("tenant", "create", "--name", "Keyed", "--idempotency-key", "order-1") == first


def test_every_list_is_shown(platform, gwctl):
    """Each command that lists, with and without pages, for the platform and for a tenant's domain."""
    tenant = fields(gwctl("tenant", "create", "--name", "Lists"))["id"]
    gwctl("domain", "add", tenant, "lists.agency.test", "--environment", "seemail")
    given = {"tenant_id": tenant, "domain_id": "lists.agency.test"}
    shown = []
    for command in json.loads(gwctl("--commands")):
        parts = re.findall(r"{(\w+)}", command["path"])
        operation = OPENAPI.operations[command["method"], command["path"]]
        required = [p["name"] for p in operation["parameters"] if p["in"] == "query" and p.get("required")]
        if command["method"] != "GET" or not set(parts) <= set(given) or required:
            continue
        content = operation["responses"].get("200", {}).get("content", {})
        if "data" not in OPENAPI.schema(content.get("application/json", {}).get("schema", {})).get("properties", {}):
            continue
        table = gwctl(*command["words"].split(), *(given[p] for p in parts))
        assert table.splitlines()[0].isupper(), (command["words"], table)
        assert isinstance(json.loads(gwctl(*command["words"].split(), *(given[p] for p in parts), "--json")), list)
        shown.append(command["words"])
    assert len(shown) > 25 and {"tenant list", "list list", "domain list"} <= set(shown), shown


def test_help_of_a_command(gwctl):
    assert "gwctl report create TENANT --kind" in gwctl("report", "create", "--help")
    assert gwctl("report", "create", "--help").count("gwctl ") == 1
    assert gwctl("report", "--help").count("gwctl report") > 3
