"""What all system tests share. They run the programs of build/release, or of SG_BUILD."""
import os
import pathlib

import pytest

from sealgate import kept, keypool
from sealgate.directory import ReferenceCA

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / (os.environ.get("SG_BUILD") or "build/release")


# The files that take longest, longest first: they begin before the others, so that at the end of a run of several workers
# none has the rest of a long one alone.
LONGEST = ("interop_gateway", "killed", "capabilities", "endure", "mail_faults", "certlife_years", "certlife", "hsm",
           "notices", "cert", "full_disk", "reports_mail", "stop_load", "table1", "cache", "ops", "descriptors",
           "hsm_faults", "layers", "bench", "api_prism", "interop_smime", "cert_flow", "curves")


def pytest_configure(config):
    ReferenceCA.new_key = staticmethod(keypool.take)
    config.addinivalue_line("markers", "smoke: run again with the daemons under sanitizers")
    config.addinivalue_line("markers", "long: many rounds or large numbers, with --long alone")


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="the long tests too")


def pytest_collection_modifyitems(config, items):
    place = {f"test_{name}": i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="with --long"))


def pytest_collection_finish(session):
    kept.wanted = len({item.path for item in session.items}) > 1


def pytest_sessionstart(session):
    if not (BUILD / "bin").is_dir() and not session.config.option.collectonly:
        pytest.exit(f"{BUILD}/bin is not there: build first, or name the build with SG_BUILD", 2)


def pytest_sessionfinish():
    kept.clear()


@pytest.fixture(scope="module", autouse=True)
def keys_of_its_own():
    """A module takes the test keys that there are from the first on."""
    keypool.begin()
