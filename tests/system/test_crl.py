"""Revocation lists (REQ-36, 39, 40, 49) and the bypass of their checking (REQ-59), by the certificate library.

The CA's lists are served as each test wants: late, wrong, too large, or not at all.
"""
import datetime as dt
import itertools
import pathlib
import shutil
import statistics
import tempfile
import time

import pytest

from certlab import DAY, NOW, Probe, unix, wait_for
from crllab import ListCA, der_entry, many_serials, signed_list, with_serial
from sealgate.ports import PortBlock

HOUR, MINUTE, SECOND = dt.timedelta(hours=1), dt.timedelta(minutes=1), dt.timedelta(seconds=1)
LIST = "/ca.crl"
MANY = 100_000


class Lab:
    def __init__(self, folder, ports):
        self.folder = pathlib.Path(folder)
        self.ca = ListCA(self.folder / "ca", ports.base, "--name", "Lab CA")
        self.other = ListCA(self.folder / "other", ports.base + 1, "--name", "Other CA")
        self.free_port = ports.base + 2
        self.probes = []
        self.numbers = itertools.count()

    def probe(self, folder=None, **limits):
        probe = Probe(folder or self.folder / f"probe{next(self.numbers)}", [self.ca.folder / "root.cer"], **limits)
        self.probes.append(probe)
        return probe

    def leaf(self, points=None):
        return self.ca.forge("a.test", points=points)

    def list_of(self, *entries, file="ca.crl", **times):
        data = signed_list(*self.ca.authority(), entries, **times)
        self.ca.put_crl(data, file)
        return data

    def url(self, name):
        return f"http://127.0.0.1:{self.ca.port}/{name}"


@pytest.fixture(scope="module")
def place():
    folder = tempfile.mkdtemp(prefix="sealgate-crl-", dir="/tmp")
    with PortBlock() as ports:
        made = Lab(folder, ports)
        try:
            yield made
        finally:
            made.ca.shelf.stop()
            made.other.shelf.stop()
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def lab(place):
    place.ca.reset()
    yield place
    probes, place.probes = place.probes, []
    for probe in probes:
        probe.close()


def entry(leaf, reason=None):
    return der_entry(leaf.certificate.serial_number, reason)


# How lists come -------------------------------------------------------------------------------------

def test_one_fetch_for_all(lab):
    """REQ-49: sixteen want a list that is not there yet: it is fetched once."""
    leaf, shelf = lab.leaf(), lab.ca.shelf

    def slowly(request):
        time.sleep(0.3)
        request.send_file(LIST)
    shelf.faults[LIST] = slowly
    answers = lab.probe().checks(16, leaf)
    assert {a["status"] for a in answers} == {"valid"}
    assert shelf.asked[LIST] == 1


def test_points_in_their_order(lab):
    """REQ-49: the first that gives a list; one that does not is told of, where none does."""
    first, second = lab.url("first.crl"), lab.url("second.crl")
    lab.list_of(file="second.crl")
    leaf = lab.leaf([first, second])
    probe = lab.probe()
    assert probe.check(leaf)["status"] == "valid"
    assert (lab.ca.shelf.asked["/first.crl"], lab.ca.shelf.asked["/second.crl"]) == (1, 1)
    lab.list_of(entry(leaf), file="first.crl")
    assert lab.probe().check(leaf)["status"] == "revoked"
    assert lab.ca.shelf.asked["/second.crl"] == 1
    (lab.ca.folder / "first.crl").unlink()
    (lab.ca.folder / "second.crl").unlink()
    answer = lab.probe().check(leaf)
    assert answer["status"] == "status-unknown"
    for url in (first, second):
        assert f"{url} could not be had: The requested URL returned error: 404" in answer["detail"]


def test_nothing_is_fetched_for_strangers(lab):
    """What is not below an accredited CA, or is no good anyway, makes us ask nobody."""
    point = lab.url("stranger.crl")
    probe = lab.probe()
    for leaf, status in ((lab.other.forge("a.test", points=[point]), "untrusted"),
                         (lab.ca.forge("a.test", points=[point], not_after=NOW - HOUR), "expired"),
                         (lab.ca.forge("b.test", points=[point]), "mismatch"),
                         (lab.ca.forge("a.test", points=[point], usage="sign"), "unsuitable")):
        assert probe.check(leaf)["status"] == status
    assert lab.ca.shelf.asked["/stranger.crl"] == 0


@pytest.mark.parametrize("point", ["http://127.0.0.1:{}/ca.crl", "http://localhost:{}/ca.crl", "http://[::1]:{}/ca.crl",
                                   "http://2130706433:{}/ca.crl", "http://0x7f.1:{}/ca.crl", "http://[::ffff:127.0.0.1]:{}/ca.crl",
                                   "ldap://127.0.0.1:{}/cn=x?certificateRevocationList", "ldap://localhost:{}/cn=x?cACertificate"])
def test_no_private_network_for_a_root_of_a_domains_own(lab, point):
    """REQ-180: whoever may give a domain a root cannot make us ask what lies beside us."""
    lab.other.reset()
    leaf = lab.other.forge("a.test", points=[point.format(lab.other.port)])
    for allowed in (0, 1):
        probe = lab.probe(further_private=allowed)
        probe.domain_anchors("dom_a", [lab.other.folder / "issuing.cer"])
        answer = probe.relying("dom_a").check(leaf)
        if not allowed:
            assert answer["status"] == "status-unknown"
            assert "its address is in a private network" in answer["detail"]
            assert not lab.other.shelf.asked
        elif "127.0.0.1:" in point and point.startswith("http"):
            assert answer["status"] == "valid"
    lab.other.shelf.stop()


def test_sent_on(lab):
    """Within the host, and not for ever; whoever sits on the way cannot make us ask others."""
    shelf = lab.ca.shelf
    shelf.faults["/on.crl"] = lambda request: request.send_on("/ca.crl")
    shelf.faults["/round.crl"] = lambda request: request.send_on("/round.crl")
    shelf.faults["/away.crl"] = lambda request: request.send_on(f"http://localhost:{lab.ca.port}/ca.crl")
    shelf.faults["/file.crl"] = lambda request: request.send_on("file:///etc/passwd")
    assert lab.probe().check(lab.leaf([lab.url("on.crl")]))["status"] == "valid"
    before = shelf.asked[LIST]
    for name, words in (("round", "sent on more than 3 times"), ("away", "sent on to another host, http://localhost"),
                        ("file", "sent on to another host")):
        answer = lab.probe().check(lab.leaf([lab.url(f"{name}.crl")]))
        assert answer["status"] == "status-unknown"
        assert words in answer["detail"], answer["detail"]
    assert shelf.asked["/round.crl"] == 4
    assert shelf.asked[LIST] == before


def test_slow_point(lab):
    """A list that comes octet by octet takes its time and no more; so does one that is withheld."""
    def drip(request):
        request.send_response(200)
        request.send_header("Content-Length", "100000")
        request.end_headers()
        for _ in range(100):
            request.wfile.write(b"0")
            time.sleep(0.1)
    lab.ca.shelf.faults[LIST] = drip
    answer = lab.probe(crl_timeout_ms=600).check(lab.leaf())
    assert answer["status"] == "status-unknown" and 500 < answer["ms"] < 2500
    over = lab.ca.shelf.withhold(LIST)
    answer = lab.probe(crl_timeout_ms=600).check(lab.leaf())
    over.set()
    assert answer["status"] == "status-unknown" and 500 < answer["ms"] < 2500
    assert "timed out" in answer["detail"]


# Ahead of time ------------------------------------------------------------------------------------------

def test_renewed_without_anybody_asking(lab):
    """REQ-39: a list in use is asked for again in the background; what it brings is known at once, from memory."""
    leaf, probe = lab.leaf(), lab.probe(crl_refresh_ms=200)
    assert probe.check(leaf)["status"] == "valid"
    lab.list_of(entry(leaf), this_update=dt.datetime.utcnow())
    before = lab.ca.shelf.asked[LIST]
    wait_for(lambda: lab.ca.shelf.asked[LIST] >= before + 2)
    over = lab.ca.shelf.withhold(LIST)  # and nobody waits for the next one
    wait_for(lambda: lab.ca.shelf.asked[LIST] > before + 2)
    answer = probe.check(leaf)
    over.set()
    assert (answer["status"], answer["ms"] < 300) == ("revoked", True)


def test_renewed_ahead_of_its_end(lab):
    """REQ-39: in the last part of its life, without a mail that waits for it."""
    begin = dt.datetime.utcnow().replace(microsecond=0)
    lab.list_of(this_update=begin, next_update=begin + 6 * SECOND)
    leaf, probe = lab.leaf(), lab.probe()
    assert probe.check(leaf)["status"] == "valid"
    lab.list_of(this_update=begin + SECOND, next_update=begin + DAY)
    wait_for(lambda: lab.ca.shelf.asked[LIST] == 2, 8)
    assert dt.datetime.utcnow() < begin + 7 * SECOND
    lab.ca.shelf.stop()
    answer = probe.check(leaf, now=begin + HOUR)
    assert answer["status"] == "valid"
    assert "grace" not in answer["detail"]


def test_nobody_waits_within_the_grace(lab):
    """REQ-40: while the thread waits for a point that gives nothing, the lapsed list answers at once."""
    begin = dt.datetime.utcnow().replace(microsecond=0)
    lab.list_of(this_update=begin, next_update=begin + 4 * SECOND)
    leaf, probe = lab.leaf(), lab.probe(crl_timeout_ms=8000)
    assert probe.check(leaf)["status"] == "valid"
    over = lab.ca.shelf.withhold(LIST)
    wait_for(lambda: lab.ca.shelf.asked[LIST] == 2, 8)
    wait_for(lambda: dt.datetime.utcnow() > begin + 5 * SECOND, 8)
    answer = probe.check(leaf)
    over.set()
    assert (answer["status"], answer["ms"] < 500) == ("valid", True), answer
    assert "grace ends at" in answer["detail"]
    assert lab.ca.shelf.asked[LIST] == 2


def test_found_in_storage_after_a_restart(lab):
    """REQ-39: and renewed from there, when its time has come."""
    folder = lab.folder / f"probe{next(lab.numbers)}"
    leaf = lab.leaf()
    assert lab.probe(folder).check(leaf)["status"] == "valid"
    before = lab.ca.shelf.asked[LIST]
    probe = lab.probe(folder)
    assert probe.check(leaf)["status"] == "valid"
    assert (probe.state()["fetches"], lab.ca.shelf.asked[LIST]) == (0, before)
    probe = lab.probe(folder, crl_refresh_ms=200)
    assert probe.check(leaf)["status"] == "valid"
    wait_for(lambda: lab.ca.shelf.asked[LIST] > before)


@pytest.mark.parametrize("stored", [False, True])
def test_one_that_is_yet_to_begin_keeps_no_other_out(lab, stored):
    """REQ-39: of a CA whose clock was ahead, and of a gateway whose was, which has stored it: the list that is made when
    that is mended is older, and the first that counts."""
    leaf, revoked, folder = lab.leaf(), lab.leaf(), lab.folder / f"probe{next(lab.numbers)}"
    lab.ca.make_crl(file="root.crl", issuer="root", next_update=NOW + 60 * DAY)
    lab.list_of(this_update=NOW + DAY, next_update=NOW + 8 * DAY)
    if stored:
        assert lab.probe(folder).check(leaf, now=NOW + 2 * DAY)["status"] == "valid"
    else:
        probe = lab.probe(folder)
        answer = probe.check(leaf)
        assert answer["status"] == "status-unknown"
        assert f"begins only at {(NOW + DAY).isoformat()}Z" in answer["detail"]
        assert probe.state()["bytes"] == 0
    lab.list_of(entry(revoked))
    probe = lab.probe(folder)
    assert probe.check(leaf)["status"] == "valid"
    assert probe.check(revoked)["status"] == "revoked"


# Large lists ----------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def serials():
    return many_serials(MANY)


@pytest.mark.parametrize("told", [True, False])
def test_size_of_a_list(lab, told):
    """As large as may be, and an octet larger; whether its server tells how large it is or not."""
    def untold(request):
        request.send_response(200)
        request.end_headers()
        request.wfile.write((lab.ca.folder / "ca.crl").read_bytes())
    leaf = lab.leaf()
    size = len(lab.list_of(*(der_entry(n) for n in range(1000, 3000))))
    if not told:
        lab.ca.shelf.faults[LIST] = untold
    assert lab.probe(max_crl_bytes=size).check(leaf)["status"] == "valid"
    answer = lab.probe(max_crl_bytes=size - 1).check(leaf)
    assert answer["status"] == "status-unknown"
    assert f"larger than {size - 1} bytes" in answer["detail"]


def test_large_list(lab, serials, record_property):
    """A list of 100,000 is read in a form that is small, and reading it again and again stalls nobody."""
    leaf, revoked, elsewhere = lab.leaf(), lab.leaf(), lab.leaf([lab.url("small.crl")])
    lab.list_of(file="small.crl")
    data = lab.list_of(*(der_entry(s) for s in serials), entry(revoked, 1))
    probe = lab.probe(max_crl_bytes=1 << 24, crl_refresh_ms=50, verdict_ttl_ms=1)
    assert probe.check(elsewhere)["status"] == "valid"
    small = probe.state()["bytes"]
    assert probe.check(leaf)["status"] == "valid"
    answer = probe.check(revoked)
    assert answer["status"] == "revoked" and answer["detail"].endswith("(keyCompromise)")
    taken = probe.state()["bytes"] - small
    record_property("bytes_of_100000", taken)
    assert taken < len(data)
    before, times = lab.ca.shelf.asked[LIST], []
    while lab.ca.shelf.asked[LIST] < before + 5:
        for one in (leaf, elsewhere):
            answer = probe.check(one)
            assert answer["status"] == "valid"
            times.append(answer["ms"])
    record_property("ms_of_a_check_meanwhile", statistics.median(times))
    assert statistics.median(times) < 30


def test_memory_is_bounded(lab, serials):
    """Lists that do not fit are dropped, the longest unused first, and found in storage again."""
    names = [f"part{i}.crl" for i in range(4)]
    leaves = [lab.leaf([lab.url(name)]) for name in names]
    for i, name in enumerate(names):
        lab.list_of(*(der_entry(s) for s in serials[i * 2000:i * 2000 + 2000]), file=name)
    probe = lab.probe(max_crl_memory=150_000, verdict_ttl_ms=1)
    for _ in range(2):
        for leaf in leaves:
            assert probe.check(leaf)["status"] == "valid"
            assert 0 < probe.state()["bytes"] <= 150_000
    assert {lab.ca.shelf.asked[f"/{name}"] for name in names} == {1}


def test_number_is_bounded(lab):
    """[certificates] crl_lists, at its edge: the one unused the longest goes, and is found in storage again."""
    names = [f"number{i}.crl" for i in range(3)]
    leaves = [lab.leaf([lab.url(name)]) for name in names]
    for name in names:
        lab.list_of(file=name)
    for most in (3, 2):
        lab.ca.shelf.asked.clear()
        probe = lab.probe(max_lists=most, verdict_ttl_ms=1)
        for _ in range(2):
            for leaf in leaves:
                assert probe.check(leaf)["status"] == "valid"
        assert probe.state()["lists"] == most
        assert {lab.ca.shelf.asked[f"/{name}"] for name in names} == {1}


def test_asked_for_again(lab):
    """[certificates] crl_retry: not before so long after it was away, and then by itself."""
    leaf = lab.leaf()
    (lab.ca.folder / "ca.crl").unlink()
    probe = lab.probe(crl_retry_ms=1500, verdict_ttl_ms=1)
    before = time.monotonic()
    assert probe.check(leaf)["status"] == "status-unknown"
    lab.list_of()
    assert probe.check(leaf)["status"] == "status-unknown" or time.monotonic() - before >= 1.5
    wait_for(lambda: probe.check(leaf)["status"] == "valid", 20)
    assert time.monotonic() - before >= 1.5 and lab.ca.shelf.asked["/ca.crl"] == 2


def test_nobody_waits_for_what_was_away(lab):
    """While the thread asks again for a list that nobody ever had, it counts as away; once it is there, it serves."""
    over, leaf = lab.ca.shelf.withhold(LIST), lab.leaf()
    probe = lab.probe(crl_timeout_ms=1500, crl_retry_ms=200, verdict_ttl_ms=1)
    assert probe.check(leaf)["status"] == "status-unknown"
    wait_for(lambda: lab.ca.shelf.asked[LIST] == 2, 20)
    answers = probe.checks(8, leaf)
    assert {a["status"] for a in answers} == {"status-unknown"} and max(a["ms"] for a in answers) < 1000, answers
    assert "timed out" in answers[0]["detail"]
    lab.ca.shelf.faults.clear()
    over.set()
    wait_for(lambda: probe.check(leaf)["status"] == "valid", 20)


# What lists say -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("serial, listed, revoked", [
    (-5, -5, True), (5, -5, False), (-5, 5, False), (251, -5, False), (128, 128, True), (-128, 128, False),
    (5, b"\x02\x02\x00\x05", True), (-5, b"\x02\x02\xff\xfb", True), (2 ** 159 - 1, 2 ** 159 - 1, True), (0, 0, True)])
def test_serial_numbers(lab, serial, listed, revoked):
    """Whatever a CA has made of them: negative, nought, or longer than they need be."""
    lab.list_of(*(der_entry(s) for s in (1, 2 ** 70, -2 ** 70)), der_entry(listed))
    answer = lab.probe().check(with_serial(lab.ca, "a.test", serial))
    assert answer["status"] == ("revoked" if revoked else "valid"), answer


@pytest.mark.parametrize("zone", ["+1200", "-1100", "+0000"])
def test_time_zones(lab, zone):
    """RFC 5280 wants Z; a list that says its time otherwise is not taken for longer than it holds."""
    def there(time_):
        hours = int(zone[:3])
        return (time_ + hours * HOUR).strftime("%Y%m%d%H%M%S") + zone
    leaf = lab.leaf()
    for left, status in ((20 * MINUTE, "valid"), (-20 * MINUTE, "status-unknown")):
        lab.list_of(this_update=NOW - HOUR, next_update=there(dt.datetime.utcnow().replace(microsecond=0) + left))
        assert lab.probe(crl_grace_ms=0).check(leaf)["status"] == status


@pytest.mark.parametrize("make", [
    lambda good: good[:4] + b"\x30\x80" + good[6:], lambda good: b"\x30\x84\xff\xff\xff\xff" + good[4:],
    lambda good: b"\x30\x88" + b"\x7f" * 8, lambda good: good * 2, lambda good: b"\x30\x00", lambda good: b"\x30" * 5000,
    lambda good: b"-----BEGIN X509 CRL-----\n" + b"A" * 400], ids=range(7))
def test_broken_octets(lab, make):
    good = lab.list_of(der_entry(7))
    lab.ca.put_crl(make(good))
    answer = lab.probe().check(lab.leaf())
    assert answer["status"] == "status-unknown"
    assert "could not be had: what was fetched is not a revocation list" in answer["detail"]


# What a domain of ours has chosen -------------------------------------------------------------------------

def lapsed(lab, days):
    """A leaf, and a probe that knows a list that ended so many days ago, which cannot be renewed."""
    lab.ca.make_crl(file="root.crl", issuer="root", next_update=NOW + 60 * DAY)
    lab.list_of(next_update=NOW + HOUR)
    leaf, probe = lab.leaf(), lab.probe()
    assert probe.check(leaf)["status"] == "valid"
    lab.ca.shelf.stop()
    return leaf, probe, NOW + HOUR + days * DAY


def test_grace_of_a_domain(lab):
    """REQ-40: seven days, unless the domain has chosen another; nobody else's choice counts."""
    leaf, probe, now = lapsed(lab, 3)
    probe.choice("dom_none", grace=0)
    probe.choice("dom_long", grace=20 * 86400)
    for _ in range(2):
        for who, status in (("dom_long", "valid"), ("dom_none", "status-unknown"), (None, "valid"),
                            ("dom_other", "valid")):
            assert probe.ours(who).check(leaf, now=now)["status"] == status, who
    later = now + 10 * DAY
    for who, status in ((None, "status-unknown"), ("dom_long", "valid"), ("dom_other", "status-unknown")):
        assert probe.ours(who).check(leaf, now=later)["status"] == status, who
    assert probe.ours("dom_long").check(leaf, now=now + 17 * DAY)["status"] == "valid"
    assert probe.check(leaf, now=now + 17 * DAY + SECOND)["status"] == "status-unknown"


@pytest.mark.parametrize("first", ["dom_a", "dom_b"])
@pytest.mark.parametrize("use", ["sign", "encrypt"])
def test_bypass_of_a_domain(lab, first, use):
    """REQ-59: not known becomes valid, for that domain alone, until the end; told in words."""
    lab.ca.shelf.stop()
    leaf, probe = lab.leaf(), lab.probe()
    until = dt.datetime.utcnow().replace(microsecond=0) + HOUR
    probe.choice("dom_a", bypass=until)
    order = ["dom_a", "dom_b", None] if first == "dom_a" else ["dom_b", None, "dom_a"]
    for _ in range(2):
        for who in order:
            answer = probe.ours(who).check(leaf, use=use)
            assert answer["status"] == ("valid" if who == "dom_a" else "status-unknown"), who
            assert answer["bypassed"] == (who == "dom_a")
            if who == "dom_a":
                assert (f"checking is bypassed for the whole domain until {until.isoformat()}Z: "
                        f"the revocation list of {lab.ca.url} could not be had: Connection refused") in answer["detail"]
    assert probe.ours("dom_a").check(leaf, use=use, now=until - SECOND)["status"] == "valid"
    assert probe.check(leaf, use=use, now=until)["status"] == "status-unknown"


def test_bypass_of_a_certificate(lab):
    """REQ-59: of that one, for all of us, until the end."""
    lab.ca.shelf.stop()
    leaf, another, probe = lab.leaf(), lab.leaf(), lab.probe()
    until = dt.datetime.utcnow().replace(microsecond=0) + HOUR
    for path in (leaf, probe_ca(lab)):
        probe.bypass(path, until)
    for who in ("dom_a", None):
        answer = probe.ours(who).check(leaf)
        assert (answer["status"], answer["bypassed"]) == ("valid", 1)
    assert "because: disaster" in answer["detail"]
    assert probe.check(another)["status"] == "status-unknown"
    assert probe.check(leaf, now=until)["status"] == "status-unknown"
    probe.bypass(leaf, None)
    assert probe.check(leaf)["status"] == "status-unknown"


def probe_ca(lab):
    """The issuing CA, whose list cannot be had either, as a certificate to be bypassed."""
    _, certificate = lab.ca.authority()
    return lab.ca.save(certificate)


def test_bypass_hides_nothing_that_is_known(lab):
    """REQ-59: revoked by a list at hand, however old it is; and whatever else is wrong."""
    leaf, good = lab.leaf(), lab.leaf()
    lab.ca.make_crl(file="root.crl", issuer="root", next_update=NOW + 60 * DAY)
    lab.list_of(entry(leaf), next_update=NOW + HOUR)
    probe = lab.probe(crl_grace_ms=0)
    probe.choice("dom_a", bypass=NOW + 90 * DAY)
    assert probe.ours("dom_a").check(leaf)["status"] == "revoked"
    lab.ca.shelf.stop()
    for now in (NOW + DAY, NOW + 50 * DAY):
        assert probe.check(leaf, now=now)["status"] == "revoked"
        answer = probe.check(good, now=now)
        assert (answer["status"], answer["bypassed"]) == ("valid", 1)
    assert probe.check(lab.ca.forge("a.test", not_after=NOW - DAY))["status"] == "expired"
    assert probe.check(lab.ca.forge("b.test"))["status"] == "mismatch"
    assert probe.check(lab.other.forge("a.test"))["status"] == "untrusted"
    assert probe.check(lab.ca.forge("a.test", points=[]))["status"] == "valid"


def test_an_old_list_that_came_along_hides_nothing(lab):
    """What a newer list said is known, although that has ended and the older one holds for longer."""
    leaf, carried = lab.leaf(), lab.folder / "carried.crl"
    lab.ca.make_crl(file="root.crl", issuer="root", next_update=NOW + 60 * DAY)
    carried.write_bytes(lab.list_of(this_update=NOW - 2 * HOUR, next_update=NOW + 30 * DAY))
    lab.list_of(entry(leaf), this_update=NOW - HOUR, next_update=NOW + HOUR)
    for days in (0, 7):
        probe = lab.probe(crl_grace_ms=days * 86400 * 1000)
        assert probe.check(leaf)["status"] == "revoked"
        lab.ca.shelf.stop()
        for now, status in ((NOW, "revoked"), (NOW + 2 * HOUR, "revoked" if days else "status-unknown")):
            answer = probe.command("check", "sign", "a.test", unix(now), leaf.path, leaf.helpers, carried)
            assert answer["status"] == status, answer
        lab.ca.shelf.start()


def test_bypassed_by_choice_alone(lab):
    """REQ-59: where the list can be had, a bypass changes nothing and nothing speaks of it."""
    leaf, probe = lab.leaf(), lab.probe()
    probe.choice("dom_a", bypass=NOW + 90 * DAY)
    answer = probe.ours("dom_a").check(leaf)
    assert (answer["status"], answer["bypassed"]) == ("valid", 0)
    assert "bypass" not in answer["detail"]
