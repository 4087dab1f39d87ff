"""Bad padding, bad key, bad content, bad signature: who tries ciphertexts on us sees the same octets at the same time,
whatever of it was right; and on a build that is leaky on purpose the same observation tells.
REQ-22 REQ-80

Here the medians are only said to differ where that is certain (1 in 10,000), after as many rounds as it takes to know
them well enough; with --long they are of 2,000 tries each, and count as they are."""
import random
import shutil
import subprocess

import pytest

import forge
from conftest import BUILD
from oracle import CONTENT, WITHIN, Observer, attempts, is_precise, spread
from setting import B
from spoof import spoof_fixture

setting = spoof_fixture()
LEAKY = BUILD / "leaky/bin"


def samples(kinds, tries, slower=1.0, seed=1):
    """Times as they come on a machine with other things to do; those of one kind are slower."""
    r = random.Random(seed)
    times = {n: [20 + r.expovariate(2) + (r.expovariate(0.1) if r.random() < 0.15 else 0) for _ in range(tries)]
             for n in range(kinds)}
    times[0] = [t * slower for t in times[0]]
    return times


def test_the_measure_tells_a_leak_from_none():
    """Of 100 sets of samples in which nothing differs, none is said to; of those with a leak of 15 %, each is."""
    for seed in range(100):
        same, leak = samples(26, 240, seed=seed), samples(26, 240, 1.15, seed)
        assert is_precise(same) and is_precise(leak)
        assert spread(same)[0] <= WITHIN < spread(leak)[0]
    assert not is_precise(samples(26, 8))


def test_nothing_tells(setting):
    seen = Observer(setting, attempts(setting)).until_precise()
    assert seen.faults() == [], seen.replies
    assert is_precise(seen.times)
    assert len(seen.replies) == 1 and next(iter(seen.replies)).startswith("250 ")


def test_nothing_tells_of_a_large_message(setting):
    """What differs in work grows with the message; so does the time of the reply."""
    content = b"Content-Type: text/plain\r\n\r\n" + b"Of the settlement of the third quarter.\r\n" * 50000
    some = {name: make for name, make in attempts(setting, content).items()
            if name in ("v15-noise", "cbc-padding", "cbc-middle", "gcm-tag", "signature")}
    seen = Observer(setting, some).rounds(20)
    assert seen.faults() == []


def test_what_passes_does_not_wait(setting):
    """Only failures are answered at their own time; no failure sooner."""
    good = {"good": lambda: forge.sealed(forge.detached(CONTENT, [setting.victim]), setting.agency[B])}
    assert min(Observer(setting, good).rounds(40).times["good"]) < 0.02
    bad = {"signature": attempts(setting)["signature"]}
    assert min(Observer(setting, bad).rounds(40).times["signature"]) > 0.0195


@pytest.mark.parametrize("address", ["secure-email-ping", "domain-certificate-request", "domain-certificate-answer"])
def test_nothing_tells_where_the_gateway_itself_answers(setting, address):
    """What is not good for anything is answered at the time of all that is not."""
    some = {name: make for name, make in attempts(setting).items() if name in ("v15-noise", "cbc-padding", "gcm-tag", "signature")}
    seen = Observer(setting, some, f"{address}@{B}").rounds(40)
    assert min(time for times in seen.times.values() for time in times) > 0.0195
    assert len(seen.replies) == 1 and next(iter(seen.replies)).startswith("250 ")


def test_another_recipient_changes_nothing_of_the_time(setting):
    """What was sealed to one domain is no business of the other, where the gateway answers pings: no sooner for that."""
    setting.platform.api.post(f"{setting.b.path}/domains", {"name": "second.test", "environment": "seemail", "attested": True})
    some = {name: make for name, make in attempts(setting).items() if name in ("v15-noise", "signature")}
    seen = Observer(setting, some, f"domain-certificate-answer@{B}", "secure-email-ping@second.test").rounds(12)
    assert all(reply.count("250 ") == 2 for reply in seen.replies), seen.replies
    assert min(time for times in seen.times.values() for time in times) > 0.0195


@pytest.mark.long
def test_nothing_tells_in_2000_tries(setting):
    seen = Observer(setting, attempts(setting)).rounds(2000)
    assert seen.faults(exactly=True) == []
    print(spread(seen.times))


# The leaky build -----------------------------------------------------------------------------------


@pytest.fixture
def leaky(setting):
    """Puts the leaky program in a daemon's place, until the test is over."""
    replaced = []

    def replace(service, program, **env):
        target = setting.platform.layout.bin / service.name
        service.stop()
        target.unlink()
        shutil.copy(program, target)
        service.env = {**service.env, **env}
        service.start()

    def make(service):
        replaced.append((service, service.env))
        replace(service, LEAKY / service.name, SG_LEAKY_ORACLE="wanted")
    yield make
    for service, env in replaced:
        service.env = env
        replace(service, BUILD / "bin" / service.name)


def told(seen):
    return " ".join(seen.faults())


def test_leak_by_the_time_is_seen(setting, leaky):
    """Where the content does not open the reply comes early."""
    leaky(setting.platform.gatewayd)
    assert "times differ" in told(Observer(setting, attempts(setting)).rounds(60))


def test_leak_by_the_reply_is_seen(setting, leaky):
    """Bad padding is told apart from a wrong key."""
    leaky(setting.platform.hsmd)
    seen = Observer(setting, attempts(setting)).rounds(4)
    assert "replies differ" in told(seen)
    differently = min(seen.replies.values(), key=lambda names: "signature" in names)
    assert {"v15-noise", "v15-zero-too-early", "oaep-noise"} <= differently and "wrong-key" not in differently


@pytest.mark.parametrize("name", ["gatewayd", "hsmd"])
def test_leaky_program_is_of_no_use(name):
    """It says what it is and does not start for anybody who has not asked for it; what ships knows nothing of it."""
    def run(program, *arguments):
        return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=20)
    assert "LEAKY" in run(LEAKY / name, "-V").stdout
    assert "LEAKY" not in run(BUILD / "bin" / name, "-V").stdout
    assert b"LEAKY" not in (BUILD / "bin" / name).read_bytes()
    started = run(LEAKY / name, "-c", "/dev/null", "-t")
    assert started.returncode == 2 and "never to be installed" in started.stderr
