"""gatewayd, its courier and hsmd under mail of all kinds, both ways: valgrind's memcheck has nothing to say, and what they have of memory,
descriptors, threads, sessions and connections does not grow. With --long: 1,000 messages each way, and 50,000."""
import os
import re
import statistics
import sys

import pytest
from conftest import BUILD, ROOT

sys.path.insert(0, str(ROOT / "tests/bench"))
import endure  # noqa: E402
import lab as benchlab  # noqa: E402
from sealgate.process import courier  # noqa: E402

VALGRIND = ["valgrind", "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
            "--num-callers=30", "--fair-sched=yes", "--vgdb=no", "--child-silent-after-fork=yes",
            "--trace-children=yes", "--trace-children-skip=*/sealgate-tnef"]
# Patience, for it is twenty to fifty times as slow; and valgrind makes calls of its own.
SLOW = {"gatewayd": {"process.confine": "no", "hsm.timeout": "2m", "database.wait": "1m", "gateway.stop_grace": "3m",
                     "tnef.timeout": "1m", "client.command_timeout": "2m",
                     "client.helper_timeout": "4m"},
        "hsmd": {"process.confine": "no", "hsmd.request_timeout": "2m", "pkcs11.session_wait": "2m", "hsmd.answer_timeout": "110s"}}
# Octets a message over the second half of the run. The short one looks at what is allocated: caches are still filling (it
# grew by 1,100), and what is lost of each body or with each certificate is found; what is smaller by the long one, which looks
# at the whole process when nothing fills any more, and by memcheck.
GROWTH, GROWTH_LONG = 3000, 24
# SoftHSM 2.6.1 keeps 200 octets of each session object that was destroyed, until C_Finalize; a data key is two such
# objects. Measured by a program of C_GenerateKey and C_DestroyObject alone; later versions give them back.
SOFTHSM_DATA_KEY = 450


def under_valgrind(lab):
    """Both daemons anew, under valgrind, with gatewayd's courier; where it writes."""
    folder = lab.layout.dir / "valgrind"
    folder.mkdir()
    os.chmod(folder, 0o1777)
    for name in ("hsmd", "gatewayd"):
        daemon = getattr(lab.platform, name)
        assert daemon.stop()
        daemon.command = [*VALGRIND, f"--log-file={folder}/{name}.%p", *daemon.command]
        daemon.timeout = daemon.grace = 240
    lab.platform.hsmd.start()
    lab.platform.gatewayd.start()
    return folder


@pytest.mark.long
def test_memcheck():
    """A leak of less traffic is LeakSanitizer's to find, in the smoke tests."""
    count, batch = 1000, 250
    if not (BUILD / "bench").is_dir() or "san" in str(BUILD):
        pytest.skip("not of a sanitizer's build")
    with benchlab.Lab(BUILD, SLOW) as lab:
        folder = under_valgrind(lab)
        mix = endure.Mix(lab)
        before = mix.outcomes()
        for _ in range(count // batch):
            mix.send(batch)
        outcomes = mix.outcomes()
        assert {"held", "refused"} <= outcomes.keys() and sum(outcomes.values()) - sum(before.values()) >= 2 * count
        pids = {name: getattr(lab.platform, name).pid() for name in ("gatewayd", "hsmd")}
        reports = {name: folder / f"{name}.{pid}" for name, pid in pids.items()}
        reports["courier"] = folder / f"gatewayd.{courier(pids['gatewayd'])}"
        for name in pids:
            assert getattr(lab.platform, name).stop(), f"{name} did not end"
        for name, report in reports.items():
            text = report.read_text("utf-8")
            assert re.search(r"ERROR SUMMARY: 0 errors", text), text
            assert "definitely lost: 0 bytes" in text or "All heap blocks were freed" in text, text[-3000:]


def test_nothing_grows(request):
    """The second half of the run, when caches, pools and the registry of messages are full."""
    long = request.config.getoption("--long")
    batches, batch = (100, 500) if long else (14, 110)
    settings = {"gatewayd": {"gateway.registry": 2000 if long else 500}, "hsmd": {}}
    with benchlab.Lab(BUILD, settings) as lab:
        mix = endure.Mix(lab)
        samples = []
        for _ in range(batches):
            mix.send(batch)
            samples.append(endure.sample(lab))
            print(samples[-1], flush=True)
        late = samples[batches // 2:]
        for name in ("gatewayd", "hsmd", "courier"):
            what = f"{name}.heap" if f"{name}.heap" in late[0] and not long else f"{name}.private"
            grown = endure.slope([s[what] for s in late]) * 1024 / (2 * batch)
            kept = endure.slope([s["hsmd.data_keys"] for s in late]) * SOFTHSM_DATA_KEY / (2 * batch) if name == "hsmd" else 0
            print(f"{name}: {grown:.1f} octets a message, {kept:.1f} of them SoftHSM's", flush=True)
            assert grown - kept < (GROWTH_LONG if long else GROWTH), [s[what] for s in samples]
        # Pools that fill up and give back: what may be more is a few, not one for each message.
        for key in ("gatewayd.fds", "gatewayd.threads", "courier.fds", "courier.threads", "hsmd.fds", "hsmd.threads", "hsmd.sessions",
                    "postgresql.connections", "spool.files"):
            early, last = [s[key] for s in samples[:batches // 2]], [s[key] for s in late]
            # As many are in use at a moment as chance will have: of fifty moments that is seen by the median.
            assert max(last) <= max(early) + 8 and (not long or statistics.median(last) <= statistics.median(early) + 2), \
                f"{key}: {[s[key] for s in samples]}"
        assert samples[-1]["journal.files"] <= 1 + samples[-1]["journal.mib"] // 200
