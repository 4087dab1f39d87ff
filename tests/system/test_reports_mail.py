"""A signed report goes by mail through our own gateway: sealed on the wire, opened at the administrator of SecureMail; and to
nobody who cannot receive it securely. REQ-112 REQ-120 REQ-144"""
import datetime
import email
import email.policy
import hashlib
import tempfile
import zoneinfo

import pytest

from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, FROM_A, OUTSIDE, Setting, header

ZONE = zoneinfo.ZoneInfo("Pacific/Auckland")
ADMINISTRATOR = f"securemail.administrator@{B}"
MONTH = (datetime.datetime.now(datetime.timezone.utc).replace(day=1) - datetime.timedelta(days=2)).strftime("%Y-%m")


class ReportSetting(Setting):
    """Agency A is the provider's own tenant: tenantd submits from its network, by its domain."""

    def configure(self, administrator):
        self.platform.settings = {"tenantd": {
            "mail.server": "127.0.0.1", "mail.port": self.platform.port["postfix_out"], "mail.tls": "none",
            "mail.source_address": FROM_A, "mail.sender": f"reports@{A}", "jobs.poll": "200ms",
            "jobs.retry": "100ms", "reports.administrator": administrator, "reports.provider": "Kea Secure Mail"}}
        return self

    def administrator_is(self, address):
        self.configure(address).platform._configure()
        self.platform.tenantd.stop()
        self.platform.tenantd.start()


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgr", dir="/var/tmp") as folder:
        s = ReportSetting(folder, block).configure(ADMINISTRATOR)
        try:
            yield s.start()
        finally:
            s.stop()


def done(api, job):
    def ended():
        row = api.get(f"/v1/jobs/{job['id']}")
        return row if row["state"] in ("done", "dead") else None
    row = wait_for(ended, 90, job["kind"])
    assert row["state"] == "done", row
    return row["result"]


def made(api, kind):
    job = api.post("/v1/reports", {"kind": kind, "period": MONTH})["job"]
    return api.get(f"/v1/reports/{done(api, job)['report_id']}")


def signed(api, report):
    return api.post(f"/v1/reports/{report['id']}/signatures", {
        "sha256": report["sha256"], "name": "A. Officer", "title": "Security officer", "words": "Read, and correct."})


def mail_job(api, report):
    (job,) = [j for j in api.list("/v1/jobs", kind="report.mail") if j["state"] in ("queued", "running", "done")][:1]
    return job


def test_signed_report_arrives_sealed(setting):
    api = setting.platform.api
    report = made(api, "compliance")
    assert api.list("/v1/jobs", kind="report.mail") == []  # nothing goes out unsigned
    signed(api, report)
    assert done(api, mail_job(api, report)) == {"recipients": 1, "sealed": 1}
    subject = f"[IN-CONFIDENCE] Compliance report, the whole platform, {report['data']['period']['name']}"
    got = setting.arrived(B, subject)[0]
    assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={A}"
    (_, wire), = setting.on_wire(subject)
    assert "application/pkcs7-mime" in header(wire, "Content-Type")
    assert b"requirements" not in wire and report["sha256"].encode() not in wire

    mail = email.message_from_bytes(got.raw, policy=email.policy.default)
    parts = {p.get_filename(): p for p in mail.walk() if p.get_filename()}
    stem = f"compliance-{MONTH}"
    tables = [t["id"] for s in report["data"]["sections"] for t in s["tables"]]
    assert set(parts) == {f"{stem}.html", f"{stem}.json", f"{stem}.csv", *(f"{stem}-{t}.csv" for t in tables)}
    assert hashlib.sha256(parts[f"{stem}.json"].get_payload(decode=True)).hexdigest() == report["sha256"]
    page = parts[f"{stem}.html"].get_payload(decode=True).decode()
    assert "Kea Secure Mail" in page and "Read, and correct." in page and report["sha256"] in page
    assert report["sha256"] in mail.get_body(("plain",)).get_content()

    # What became of it stands in the report, and is what the retention log has.
    (delivery,) = api.get(f"/v1/reports/{report['id']}")["deliveries"]
    assert (delivery["recipient"], delivery["state"], delivery["attempts"]) == (ADMINISTRATOR, "sealed", 1)
    message = setting.a.message(delivery["msg_id"])
    assert message["message_id"] == delivery["message_id"] == header(got.raw, "Message-ID").strip("<>")
    assert [(r["recipient"], r["outcome"], r["verdict"]) for r in message["recipients"]] == [
        (ADMINISTRATOR, "delivered", "sealed")]
    # Asked for once more, it is not sent to whom it has reached.
    again = api.post(f"/v1/reports/{report['id']}/deliveries")["job"]
    assert done(api, again) == {"recipients": 1, "sealed": 1}
    assert api.get(f"/v1/reports/{report['id']}")["deliveries"] == [delivery]


def test_nothing_goes_out_unsealed(setting):
    """An administrator outside of Secure Email: nothing is sent there, and an incident says so. With another
    address it is sent there, and not tried again with the first."""
    api = setting.platform.api
    setting.administrator_is(f"Somebody@{OUTSIDE}")
    api.post("/v1/attestations", {"requirement": 131, "words": "Certified.", "name": "A. Officer", "title": "Officer",
                                  "valid_until": "2099-01-01T00:00:00Z"})
    report = made(api, "compliance")
    assert report["revision"] == 2
    before = len(setting.servers[OUTSIDE].mails)
    signed(api, report)
    assert done(api, mail_job(api, report)) == {"recipients": 1, "sealed": 0}
    (delivery,) = api.get(f"/v1/reports/{report['id']}")["deliveries"]
    assert (delivery["recipient"], delivery["state"]) == (f"somebody@{OUTSIDE}", "failed")
    assert delivery["last_error"] == "the recipient's domain is not of Secure Email"
    incident = next(i for i in api.list("/v1/incidents") if i["kind"] == "report.not-delivered")
    assert (incident["severity"], incident["state"], incident["occurrences"]) == ("critical", "open", 1)
    assert len(setting.servers[OUTSIDE].mails) == before

    setting.administrator_is(ADMINISTRATOR)
    job = api.post(f"/v1/reports/{report['id']}/deliveries")["job"]
    assert done(api, job) == {"recipients": 2, "sealed": 1}
    states = {d["recipient"]: (d["state"], d["last_error"], d["attempts"])
              for d in api.get(f"/v1/reports/{report['id']}")["deliveries"]}
    assert states == {ADMINISTRATOR: ("sealed", "", 1),
                      f"somebody@{OUTSIDE}": ("failed", "is no recipient any more", 0)}


def test_postfix_away_and_back(setting):
    """The job tells why it waits, and the report goes out once Postfix is there."""
    api = setting.platform.api
    api.post("/v1/attestations", {"requirement": 140, "words": "Signed by all.", "name": "A. Officer",
                                  "title": "Officer", "valid_until": "2099-01-01T00:00:00Z"})
    report = made(api, "compliance")
    setting.platform.postfix_out.stop()
    signed(api, report)
    job = mail_job(api, report)
    waiting = wait_for(lambda: (row := api.get(f"/v1/jobs/{job['id']}"))["last_error"] and row, 60, "an error")
    assert waiting["state"] in ("queued", "running")
    (delivery,) = api.get(f"/v1/reports/{report['id']}")["deliveries"]
    assert delivery["state"] == "queued" and delivery["attempts"] == 0 and delivery["last_error"]
    setting.platform.postfix_out.start()
    assert done(api, job) == {"recipients": 1, "sealed": 1}


def test_the_way_of_a_mail_is_looked_at(setting):
    """REQ-142: as deploy/ configures it, each part of the way is found well, once a minute."""
    api = setting.platform.api
    month = datetime.datetime.now(datetime.timezone.utc).astimezone(ZONE).strftime("%Y-%m")

    def up():
        job = api.post("/v1/reports", {"kind": "availability", "period": month})["job"]
        report = api.get(f"/v1/reports/{done(api, job)['report_id']}")
        figures = {f["name"]: f["value"] for f in report["data"]["sections"][0]["figures"]}
        return figures["up"]

    wait_for(lambda: up() >= 1, 90, "a minute that was up", interval=2)
