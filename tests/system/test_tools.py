"""tools/trace-requirements and deploy/render: what they read, what they refuse."""
import configparser
import re
import shutil
import subprocess

import pytest

from conftest import BUILD, ROOT


def run(*command, **more):
    return subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, **more)


@pytest.fixture
def tree(tmp_path):
    """A small source tree with the tool and three requirements."""
    for folder in ("docs", "tools", "gatewayd", "tests"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "tools/trace-requirements", tmp_path / "tools")
    (tmp_path / "docs/requirements.tsv").write_text(
        "# head\n" + "".join(f"{n}\tM\tgw\ttest\twhat {n} takes\n" for n in range(1, 10)))
    return tmp_path


def trace(tree, *arguments):
    return run(tree / "tools/trace-requirements", *arguments)


def states(tree):
    rows = [line.split(" | ") for line in (tree / "docs/conformance.md").read_text().splitlines()
            if line.startswith("| ") and line[2].isdigit()]
    return {int(row[0].strip("| ")): row[4] for row in rows}


def test_marks_and_states(tree):
    (tree / "gatewayd/a.c").write_text("/* REQ-1, 2 and 4; REQ-6 to 8 */ /* REQ-9: 7 days */")
    (tree / "tests/test_a.c").write_text("/* REQ-2. REQ-5 */")
    result = trace(tree)
    assert result.returncode == 0, result.stderr
    assert states(tree) == {1: "built, not tested", 2: "works", 3: "open", 4: "built, not tested",
                            5: "tested, code not marked", 6: "built, not tested",
                            7: "built, not tested", 8: "built, not tested",
                            9: "built, not tested"}


def test_check_fails_when_out_of_date_or_untested(tree):
    assert trace(tree, "--check").returncode == 1
    assert trace(tree).returncode == 0
    assert trace(tree, "--check").returncode == 0
    (tree / "tests/test_b.py").write_text("# REQ-3")
    assert "out of date" in trace(tree, "--check").stderr
    trace(tree)
    assert trace(tree, "--check", "--rows", "3").returncode == 0
    result = trace(tree, "--check", "--rows", "1-3")
    assert result.returncode == 1
    assert "REQ-1: no test bears it" in result.stderr and "REQ-3" not in result.stderr


def test_unknown_number_fails(tree):
    (tree / "gatewayd/a.c").write_text("/* REQ-77 */")
    result = trace(tree)
    assert result.returncode == 1 and "REQ-77 is no requirement" in result.stderr


def test_rendered_production_configuration_is_accepted_by_the_daemons(tmp_path):
    """deploy/production.values with numbers for the users, which need not exist here."""
    text = (ROOT / "deploy/production.values").read_text()
    for old, new in (("sealgate-gw\n", "61001\n"), ("sealgate-tn\n", "61003\n"),
                     ("socket_group = sealgate\n", "socket_group = 61000\n")):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "values").write_text(text)
    result = run(ROOT / "deploy/render", tmp_path / "values", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    for name in ("hsmd", "tenantd", "apid", "gatewayd"):
        result = run(BUILD / "bin" / name, "-c", tmp_path / f"out/{name}.conf", "-t")
        assert result.returncode == 0, result.stderr
    for which in ("out", "in"):
        folder = tmp_path / f"out/postfix-{which}"
        result = run("postconf", "-c", folder, "-n")
        assert result.returncode == 0
        assert "unused parameter" not in result.stderr
        for path in folder.iterdir():
            assert "password" not in path.read_text(), path  # Postfix writes what its maps name into its log


@pytest.mark.parametrize("queue, proof", [("5d", 6), ("10", 11), ("48h", 3), ("2w", 15)])
def test_gatewayd_takes_what_postfix_keeps(tmp_path, queue, proof):
    """The proof of a submission outlives Postfix's queue by a day, and what Postfix lets travel gatewayd lets in: where
    values are changed nothing is bounced because of a default elsewhere."""
    text = (ROOT / "deploy/production.values").read_text("utf-8")
    for name, value in (("queue_lifetime", queue), ("transit_size", 209715200)):
        text, found = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        assert found == 1
    (tmp_path / "values").write_text(text, "utf-8")
    result = run(ROOT / "deploy/render", tmp_path / "values", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    text = (tmp_path / "out/gatewayd.conf").read_text("utf-8")
    assert f"\n[submission]\nkey_file = /etc/sealgate/secrets/submission.key\n#previous_key_file = " in text
    conf = configparser.ConfigParser()
    conf.read_string(text)
    assert conf["submission"]["lifetime"] == f"{proof * 86400}s"
    assert conf["limits"]["message"] == "209715200"
    assert run(BUILD / "bin/gatewayd", "-c", tmp_path / "out/gatewayd.conf", "-t").returncode == 0


def test_postfix_in_listens_where_postfix_out_brings_mail_for_our_domains(tmp_path):
    """As shipped: with port 25 of the loopback named, where "in" had an address of its own, nobody listened."""
    assert run(ROOT / "deploy/render", ROOT / "deploy/production.values", tmp_path).returncode == 0
    services = run("postconf", "-c", tmp_path / "postfix-in", "-M", "*/inet").stdout
    listeners = [line.split()[0] for line in services.splitlines() if not line.startswith(" ")]
    for name in ("hosted-transport.cf", "sealed-hosted.cf"):
        route = re.search(r"peer:\[(\S+)\]:(\d+)'", (tmp_path / "postfix-out" / name).read_text())
        assert "{}:{}".format(*route.groups()) in listeners, name


def test_render_names_what_is_missing(tmp_path):
    (tmp_path / "values").write_text("node = x\n")
    result = run(ROOT / "deploy/render", tmp_path / "values", tmp_path / "out")
    assert result.returncode == 2 and "no value for" in result.stderr
    (tmp_path / "values").write_text("no equals sign\n")
    result = run(ROOT / "deploy/render", tmp_path / "values", tmp_path / "out")
    assert result.returncode == 2 and "values:1" in result.stderr
    text = (ROOT / "deploy/production.values").read_text("utf-8")
    (tmp_path / "values").write_text(text.replace("queue_lifetime = 5d", "queue_lifetime = 5 days"), "utf-8")
    result = run(ROOT / "deploy/render", tmp_path / "values", tmp_path / "out")
    assert result.returncode == 2 and "5 days" in result.stderr
