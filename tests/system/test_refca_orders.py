"""The CA killed, and its directory gone, while tenantd orders from it: REQ-51, 168, 169, 174."""
import random
import tempfile
import time

import pytest

from sealgate import PortBlock
from sealgate.process import wait_for
from test_certlife import Life


@pytest.fixture(scope="module")
def life():
    with PortBlock() as ports, tempfile.TemporaryDirectory(prefix="sgo", dir="/var/tmp") as folder:
        made = Life(folder, ports.base)
        try:
            yield made.start()
        finally:
            made.stop()


def test_the_ca_killed_during_orders(life):
    """kill -9 of refca at random, and slapd stopped for a while: each domain has one certificate, the one
    that the CA knows, and it is in the directory."""
    rng = random.Random(11)
    sites = [life.platform.organisation(f"o{i}", f"o{i}.test") for i in range(20)]
    for site in sites:
        site.configure()
    for site in sites:
        life.use(site, life.authority)
    life.platform.directory.stop()
    for i in range(8):
        time.sleep(rng.uniform(0.05, 0.5))  # the moment is at random
        life.refca.service.kill()
        if i == 4:
            life.platform.directory.start()
        life.refca.start()
    for site in sites:
        life.order(site, "installed", timeout=90)
    for site in sites:
        issued, = life.refca.issued(site.domain_name)
        certificate, = life.certificates(site)
        assert int(certificate["serial"], 16) == int(issued["serial"], 16)
        wait_for(lambda name=site.domain_name: len(life.published(name)) == 1, 60,
                 f"{site.domain_name} in the directory")


def test_the_ca_killed_during_compromise(life):
    """New certificate there, old one revoked and out of the directory, each once, whenever the CA dies."""
    rng = random.Random(12)
    sites = [life.domain(f"c{i}.test") for i in range(4)]
    old = {site: life.active(site) for site in sites}
    for site in sites:
        wait_for(lambda name=site.domain_name: len(life.published(name)) == 1, 60, "publication")
    begin = time.monotonic()
    for site in sites:
        life.api.post(f"{site.domain_path}/compromise", {"reason": "a disk was lost"})
    for _ in range(5):
        time.sleep(rng.uniform(0.05, 0.4))
        life.refca.service.kill()
        life.refca.start()
    for site in sites:
        wait_for(lambda s=site: life.certificates(s, state="active") and
                 life.certificates(s, state="active")[0]["id"] != old[s]["id"], 60, "a new one")
        wait_for(lambda s=site: any(int(r["serial"], 16) == int(old[s]["serial"], 16)
                                    for r in life.refca.revocations()), 60, "the revocation")
        assert life.told(old[site])["reason"] == "keyCompromise"
        wait_for(lambda s=site: len(life.published(s.domain_name)) == 1, 60, "the directory")
        assert len(life.refca.issued(site.domain_name)) == 2
    print(f"{len(sites)} compromises through 5 deaths of the CA: {time.monotonic() - begin:.1f} s")
