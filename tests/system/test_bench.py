"""The bench of the message path runs: a small round of its sections on one platform. Not what the figures are, for the
machine may be busy, but that all of them come out, that what gatewayd sent can be opened and verified by others (the
sections see to it), and that nothing is beyond all bounds."""
import sys

import pytest
from conftest import BUILD, ROOT

sys.path.insert(0, str(ROOT / "tests/bench"))
import domains  # noqa: E402
import lab as benchlab  # noqa: E402
import memory  # noqa: E402
import path  # noqa: E402
import start  # noqa: E402


@pytest.fixture(scope="module")
def lab():
    with benchlab.Lab(BUILD, {**memory.SETTINGS, **domains.SETTINGS}) as made:
        yield made


def figures_of(section, lab):
    return {name: value for name, value, _ in section.measure(lab, 1)}


def test_path(lab):
    found = figures_of(path, lab)
    for name, most in (("outbound_10k_cpu_ratio", 20), ("inbound_10k_cpu_ratio", 20), ("own_cpu_ms", 20),
                       ("outbound_1m_cpu_ms", 200), ("inbound_1m_cpu_ms", 200), ("opendkim_cpu_ratio", 20),
                       ("latency_p99_ms", 20000)):
        assert found[name] < most, f"{name}: {found[name]}"
    assert found["outbound_10k_cpu_ratio"] > 1  # it made the private operation at all


def test_memory(lab):
    assert 1 < figures_of(memory, lab)["rss_32x25m_mib"] < 500


def test_domains(lab):
    assert 0.1 < figures_of(domains, lab)["domains_cost_ratio"] < 10


def test_start(lab):
    assert 0 < figures_of(start, lab)["start_50k_s"] < 30
