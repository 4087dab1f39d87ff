"""The commands of the pages are commands that there are, with the arguments that they need and options that
they have; Postfix's name a folder that a host has. (What the pages tell to do is tested where it is made: faults, jobs,
lists, certificates, suspension.)"""
import json
import re
import shlex
import subprocess

import pytest

from apienv import BUILD
from sealgate.layout import ROOT

COMMON = {"--json", "--url", "--token-file", "--idempotency-key"}
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md"), ROOT / "tools/gwctl/README.md"])
PAGES.remove(ROOT / "docs/conformance.md")


def commands():
    shown = subprocess.run([BUILD / "bin/gwctl", "--help"], capture_output=True, text=True, check=True).stdout
    found = {}
    for line in re.findall(r"^  gwctl (.*)$", shown, re.M):
        words = re.match(r"[a-z][a-z0-9 -]*?(?= [A-Z]| -| \[|$)", line)[0]
        options = {o: v.split("|") if "|" in v else None
                   for o, v in re.findall(r"(--[a-z0-9-]+)(?: ([^\s\]]+))?", line)}
        found[words] = options, len(re.findall(r"(?<!\S)[A-Z][A-Z-]*(?!\S)",
                                                                            re.split(r" \[?--", line)[0]))
    return found


def written(page, program):
    text = page.read_text()
    lines = [line.split("  #")[0] for block in re.findall(r"```sh\n(.*?)```", text, re.S) for line in block.splitlines()]
    for line in [*lines, *re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.S))]:
        for part in re.split(r" \| |; | && |\$\(", line.replace("\n", " ")):
            if re.match(rf"\s*(?:{program})(?: |$)", part):
                yield part.strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_are_there(page):
    known = commands()
    for line in written(page, r"gwctl(?= [a-z])"):
        parts = shlex.split(line)[1:]
        if parts[0] in ("help", "completion"):
            continue
        words = next((" ".join(parts[:n]) for n in (4, 3, 2, 1) if " ".join(parts[:n]) in known), None)
        assert words, f"{page.name}: {line}"
        options, arguments = known[words]
        used = {p for p in parts if p.startswith("--")}
        assert used <= set(options) | COMMON, f"{page.name}: {line}: {used - set(options)}"
        for option, value in zip(parts, parts[1:]):
            assert not options.get(option) or value in options[option], f"{page.name}: {line}"
        rest = parts[len(words.split()):]
        given = rest[:next((i for i, p in enumerate(rest) if p.startswith("--") or p == "…"), len(rest))]
        assert len(given) == arguments or "…" in rest, f"{page.name}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_postfix_is_asked_in_a_folder_of_ours(page):
    values = dict(re.findall(r"^(\w+) = (\S+)$", (ROOT / "deploy/production.values").read_text(), re.M))
    folders = {values["out_etc"], values["in_etc"]}
    for line in written(page, "postfix(?= )|postqueue|postsuper|postcat|postconf(?= )|mailq"):
        parts = line.split()
        assert parts[0] != "mailq" and parts[1:2] == ["-c"] and parts[2] in folders, f"{page.name}: {line}"


def test_the_index_has_every_page():
    index = (ROOT / "docs/operations/README.md").read_text()
    assert all(f"]({p.name})" in index for p in PAGES if p.parent.name == "operations" and p.name != "README.md")
