"""Dry runs and explanations: one engine behind the message path, REST and gwctl (REQ-3, REQ-56)."""
import base64
import json
import subprocess
import tempfile

import pytest

import apienv
from sealgate.api import Problem
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, C, OUTSIDE, Setting, simple

NOCERT = "nocert.test"
TABLES = ("message", "message_recipient", "trace_event", "held_message", "notice", "partner_certificate",
          "job", "incident")


class Simulated(Setting):
    def start(self):
        super().start()
        self.platform.api.post("/v1/member-domains", {"name": NOCERT, "environment": "seemail"})
        return self

    def simulate(self, organisation, direction, sender, recipients, message):
        return self.platform.api.post(f"{organisation.path}/simulations", {
            "direction": direction, "sender": sender, "recipients": recipients,
            "message": base64.b64encode(message).decode()})

    def refused(self, status, *simulation):
        with pytest.raises(Problem) as problem:
            self.simulate(*simulation)
        assert problem.value.status == status
        return problem.value.body

    def rows(self):
        return {table: self.platform.postgresql.psql(f"SELECT count(*) FROM sealgate.{table}")
                for table in TABLES}

    def gwctl(self, *arguments, status=0):
        done = subprocess.run([self.platform.layout.bin / "gwctl", *arguments], check=False, text=True,
                              capture_output=True, env={
                                  "SEALGATE_URL": f"http://127.0.0.1:{self.platform.port['api']}",
                                  "SEALGATE_TOKEN_FILE":
                                      str(self.platform.layout.secrets / "provider-admin.token")})
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgd", dir="/var/tmp") as folder:
        s = Simulated(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


def plans_of(answer):
    return {plan["domain"]: plan for plan in answer["plans"]}


def test_plan_per_domain_and_nothing_else_happens(setting):
    """REQ-5: a member, a member without a certificate, an outsider; no row, no mail."""
    before = setting.rows()
    recipients = [f"ann@{B}", f"bob@{B}", f"x@{NOCERT}", f"y@{OUTSIDE}"]
    answer = setting.simulate(setting.a, "outbound", f"joe@{A}", recipients,
                              simple(f"joe@{A}", recipients, "dry-run"))
    plans = plans_of(answer)
    assert {d: (p["action"], p["code"]) for d, p in plans.items()} == {
        B: ("seal", ""), NOCERT: ("hold", "201"), OUTSIDE: ("plain", "")}
    assert plans[NOCERT]["tells"][:2] == ["sender", "postmaster"] and plans[B]["tells"] == []
    assert plans[B]["recipients"] == [f"ann@{B}", f"bob@{B}"]
    assert all(p["requirement"].startswith("REQ-") and p["explanation"] for p in plans.values())
    steps = [step["step"] for step in plans[B]["steps"]]
    assert "own-certificate" in steps and "discovery" in steps and "decided" in steps
    assert setting.rows() == before
    for server in setting.servers.values():
        assert not [m for m in server.mails if b"dry-run" in m.raw]
    assert setting.platform.postfix_out.queue() == []


def test_same_plan_as_the_message_path(setting):
    """REQ-3: what the dry run says is what is done, rule by rule."""
    message = simple(f"joe@{A}", [f"ann@{B}"], "for-real")
    dry = plans_of(setting.simulate(setting.a, "outbound", f"joe@{A}", [f"ann@{B}"], message))[B]
    again = plans_of(setting.simulate(setting.a, "outbound", f"joe@{A}", [f"ann@{B}"], message))[B]
    setting.submit(f"joe@{A}", [f"ann@{B}"], message)
    setting.arrived(B, "for-real")

    def decided(steps):
        return [step["detail"] for step in steps if step["step"] == "decided"]

    def real():
        for row in setting.a.messages(message_id="for-real@x.test"):
            return decided(setting.a.trace(row["id"]))
        return None
    assert wait_for(real, 20, "the trace") == decided(dry["steps"]) == decided(again["steps"])
    # … and the same message, sealed as it went over the wire, into B.
    _, raw = setting.on_wire("for-real")[0]
    inbound = plans_of(setting.simulate(setting.b, "inbound", f"joe@{A}", [f"ann@{B}"], raw))[B]
    assert (inbound["action"], inbound["rule"]) == ("deliver", "verified")
    assert b"Kia ora" not in json.dumps(inbound).encode()


def test_reasons_of_refused_certificates_are_told(setting):
    """Explain: an operator sees which certificates were tried and why each was refused."""
    plan = plans_of(setting.simulate(setting.a, "outbound", f"joe@{A}", [f"x@{NOCERT}"],
                                     simple(f"joe@{A}", [f"x@{NOCERT}"], "why")))[NOCERT]
    discovery, = [step for step in plan["steps"] if step["step"] == "discovery"]
    assert discovery["detail"]["found"] == "no" and discovery["detail"]["detail"]


@pytest.mark.parametrize("direction, recipients, pointer", [
    ("inbound", [f"x@{OUTSIDE}"], "/recipients"), ("inbound", [f"ann@{A}"], "/recipients")])
def test_whose_mail_it_is_not(setting, direction, recipients, pointer):
    """Another tenant's domain is as unknown as a stranger's."""
    problem = setting.refused(422, setting.b, direction, f"joe@{A}", recipients,
                              simple(f"joe@{A}", recipients, "foreign"))
    assert problem["pointer"] == pointer
    assert "recipient 1 is of no domain of this tenant" in problem["detail"]


@pytest.mark.parametrize("message", ["", "!!!!", "QQ=", "A" * 5], ids=["empty", "no-base64", "short", "cut"])
def test_message_must_be_base64(setting, message):
    body = {"direction": "outbound", "sender": f"joe@{A}", "recipients": [f"ann@{B}"],
            "message": message}
    with pytest.raises(Problem) as problem:
        setting.platform.api.post(f"{setting.a.path}/simulations", body)
    assert problem.value.status == 422 and problem.value.body["pointer"] == "/message"


def test_refusals_of_the_rules_are_plans_too(setting):
    """REQ-66: a From that is not the sender's."""
    plan = plans_of(setting.simulate(setting.a, "outbound", f"joe@{A}", [f"ann@{C}"],
                                     simple(f"eve@{B}", [f"ann@{C}"], "spoof")))[C]
    assert plan["action"] == "refuse" and plan["requirement"] == "REQ-136"


def test_gwctl_simulates_and_explains(setting, tmp_path):
    """What a person reads: the plan first, the reasons below."""
    path = tmp_path / "mail.eml"
    path.write_bytes(simple(f"joe@{A}", [f"x@{NOCERT}"], "by-hand").replace(b"\r\n", b"\n"))
    text = setting.gwctl("simulate", "Agency A", str(path), "--direction", "outbound", "--sender",
                         f"joe@{A}", "--recipients", f"x@{NOCERT},ann@{B}")
    for line in (NOCERT, "action     hold", "code       201", "action     seal"):
        assert line in text, text
    setting.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], "explained"))
    setting.arrived(B, "explained")
    row, = wait_for(lambda: setting.a.messages(message_id="explained@x.test"), 20, "retention")
    wait_for(lambda: setting.a.trace(row["id"]), 20, "the trace")
    text = setting.gwctl("explain", "Agency A", row["id"])
    assert "decided  (REQ-62)" in text and "because the recipient's domain takes part" in text
    assert setting.gwctl("simulate", "Agency A", str(tmp_path / "none"), "--direction", "outbound",
                         "--sender", f"joe@{A}", "--recipients", f"ann@{B}", status=1)


def test_gatewayd_away(setting):
    """The API says so, in words, and nothing hangs."""
    setting.platform.gatewayd.stop()
    try:
        problem = setting.refused(503, setting.a, "outbound", f"joe@{A}", [f"ann@{B}"],
                                  simple(f"joe@{A}", [f"ann@{B}"], "away"))
        assert problem["title"] == "the gateway does not answer"
    finally:
        setting.platform.gatewayd.start()


def test_the_providers_dry_run_is_in_the_audit_log(setting):
    """Who asked, for whose mail; a row as for any look into a tenant's mail."""
    client = apienv.Client(setting.platform.port["api"], setting.platform.api.token)
    reply = client.call("POST", f"{setting.a.path}/simulations", {
        "direction": "outbound", "sender": f"joe@{A}", "recipients": [f"ann@{B}"],
        "message": base64.b64encode(simple(f"joe@{A}", [f"ann@{B}"], "audited")).decode()}, expect=200)
    found = setting.platform.postgresql.psql(
        f"SELECT action FROM sealgate.audit WHERE request_id = '{reply.headers['X-Request-Id']}'")
    assert found == "read"
    apienv.seen("audited", "POST", "/v1/tenants/{tenant_id}/simulations")


def test_a_notice_is_shown(setting):
    """REQ-57: what support asks the API when a sender says that nobody told him."""
    client = apienv.Client(setting.platform.port["api"], setting.platform.api.token)
    setting.submit(f"joe@{A}", [f"x@{NOCERT}"], simple(f"joe@{A}", [f"x@{NOCERT}"], "noticed"))
    path = f"{setting.a.path}/notices"
    first = wait_for(lambda: client.get(path)["data"], 20, "a notice")[0]
    assert client.get(f"{path}/{first['id']}")["id"] == first["id"]
