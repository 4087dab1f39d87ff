"""Two nodes of one PostgreSQL (docs/operations/nodes.md, "Adding one"): each takes mail, a change counts on both at once, held
mail goes once whoever sends it, and what a lost node held the other sends."""
import shutil
import smtplib
import subprocess
import tempfile

import pytest

from sealgate.layout import GROUP, HSM
from sealgate.platform import Platform
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, C, FROM_A, Setting, header, simple

HOLD = {"hold.retry_first": "1s", "hold.retry_most": "1s", "hold.poll": "1s"}


class SecondNode(Platform):
    """Postfix, gatewayd and hsmd of another host: with the token, the secrets and the database of the first."""

    def __init__(self, first, folder, block):
        given = first.layout
        super().__init__(folder, block.base, settings=first.settings,
                         without={"postgresql", "slapd", "refca", "tenantd", "apid"},
                         postfix_values={"node": "gw2",
                                         "database_conninfo": f"host={given.run}/pg port={given.port['postgresql']} dbname=sealgate",
                                         "postfix_db_uri": f"postgresql:///sealgate?host={given.run}/pg&port={given.port['postgresql']}"
                                                           f"&user=sg_postfix&connect_timeout=5&passfile={folder}/secrets/pgpass.postfix"})
        self.first = first

    def up(self, copied=False):
        given, mine = self.first.layout, self.layout
        mine.prepare()
        subprocess.run(["cp", "-a", f"{given.secrets}/.", mine.secrets], check=True)
        for name in ("tokens", "made"):
            subprocess.run(["cp", "-a", given.hsm / name, mine.hsm], check=True)
        shutil.chown(mine.hsm / "tokens", HSM, GROUP)
        shutil.copy(given.etc / "egress.cidr", mine.etc)
        return super().up(copied=False)


@pytest.fixture(scope="module")
def nodes():
    with PortBlock() as block, PortBlock() as other, \
            tempfile.TemporaryDirectory(prefix="sgn", dir="/var/tmp") as folder, \
            tempfile.TemporaryDirectory(prefix="sgn", dir="/var/tmp") as second:
        setting = Setting(folder, block, settings={"gatewayd": HOLD})
        node = None
        try:
            setting.start()
            node = SecondNode(setting.platform, second, other)
            setting.second = node.up()
            yield setting
        finally:
            if node:
                node.down()
            setting.stop()


def submit(platform, sender, recipients, subject, source=FROM_A):
    with smtplib.SMTP("127.0.0.1", platform.port["postfix_out"], "customer.test", timeout=60, source_address=(source, 0)) as smtp:
        smtp.sendmail(sender, recipients, simple(sender, recipients, subject))


def node_of(setting, subject, direction):
    """Which node has the message in the retention log."""
    rows = wait_for(lambda: setting.platform.postgresql.rows(
        f"SELECT node FROM message WHERE direction = '{direction}' AND message_id LIKE '{subject}@%'"), 30, "the retention log")
    return {row[0] for row in rows}


def test_each_takes_mail(nodes):
    submit(nodes.second, f"joe@{A}", [f"bob@{B}"], "by-the-second")
    assert header(nodes.arrived(B, "by-the-second")[0].raw, "X-Sealgate-Verdict") == f"verified; domain={A}"
    submit(nodes.platform, f"joe@{A}", [f"bob@{B}"], "by-the-first")
    nodes.arrived(B, "by-the-first")
    assert node_of(nodes, "by-the-second", "outbound") == node_of(nodes, "by-the-second", "inbound") == {"gw2"}
    assert node_of(nodes, "by-the-first", "outbound") == {"gw1"}


def test_a_change_counts_on_both_at_once(nodes):
    api, path = nodes.platform.api, nodes.a.path
    for platform in (nodes.platform, nodes.second):  # both know the tenant
        submit(platform, f"joe@{A}", [f"bob@{B}"], "before")
    api.post(f"{path}/suspend", {"reason": "not paid"})
    for platform in (nodes.platform, nodes.second):
        with pytest.raises(smtplib.SMTPDataError) as refused:
            submit(platform, f"joe@{A}", [f"bob@{B}"], "suspended")
        assert refused.value.smtp_code == 450
    api.post(f"{path}/resume")
    for platform in (nodes.platform, nodes.second):
        submit(platform, f"joe@{A}", [f"bob@{B}"], "after")
    nodes.arrived(B, "after", 2)


@pytest.mark.parametrize("first", ["lives", "is lost"])
def test_held_mail_goes_once(nodes, first):
    """Both nodes' workers try what either has held; one that is lost leaves it to the other."""
    domain = f"{first.replace(' ', '-')}.test"
    late = nodes.platform.organisation(f"Agency of {domain}", domain, next_hop_port=nodes.c_port, key_kind="wrapped")
    late.configure()

    def held():
        return [h for h in nodes.a.held(state="held") if h["recipient_domain"] == domain]

    def came():
        return sorted(s for s in (header(mail.raw, "Subject") for mail in nodes.servers[C].mails) if s.endswith(f"@{domain}"))
    subjects = sorted(f"{node}{i}@{domain}" for node in ("gw1-", "gw2-") for i in range(10))
    for subject in subjects:
        submit(nodes.platform if subject.startswith("gw1") else nodes.second, f"joe@{A}", [f"ann@{domain}"], subject)
    wait_for(lambda: len(held()) == len(subjects), 60, "held mail of both")
    if first == "is lost":
        nodes.platform.gatewayd.kill()
    try:
        late.make_key()
        late.certify()
        late.publish()
        wait_for(lambda: set(came()) == set(subjects) and not held(), 120, "all that was held")
        assert came() == subjects
    finally:
        nodes.platform.gatewayd.start()
