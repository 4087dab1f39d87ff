"""Revocation lists while mail flows: renewed without it, found again after a restart, and their checking bypassed.

The CA's lists go away for all there is: our own certificates and the partner's, sending and receiving; and once its root,
untold.
REQ-36 REQ-39 REQ-59 REQ-68
"""
import contextlib
import datetime
import hashlib
import ssl
import tempfile
import time

import pytest

from policylab import MEMBER, Lab
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, FROM_B, header, simple

VERIFIED, UNKNOWN = f"verified; domain={MEMBER}", "unverified; code=104,114"
# A CA that is there is waited for as long as elsewhere (setting.py); one that is stopped refuses at once.
SETTINGS = {"gatewayd": {"cache.lifetime": "2s", "certificates.crl_refresh": "1s", "hold.retry_first": "1s", "hold.retry_most": "2s"}}


@pytest.fixture(scope="module")
def lab():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgl", dir="/var/tmp") as folder:
        made = Lab(folder, block, settings=SETTINGS)
        try:
            yield made.start()
        finally:
            made.stop()


class Names:
    count = 0


def subject(word):
    Names.count += 1
    return f"crl{Names.count}-{word}"


def verdict(lab, agency, name):
    """What a sealed mail of the partner's is taken for there."""
    lab.sealed_from(MEMBER, [f"ann@{agency}"], name)
    return header(lab.arrived(agency, name)[0].raw, "X-Sealgate-Verdict")


def send(lab, agency, name):
    author = f"ann@{agency}"
    lab.submit(author, [f"joe@{MEMBER}"], simple(author, [f"joe@{MEMBER}"], name),
               **({"source": FROM_B} if agency == B else {}))


def details(lab, name, organisation=None):
    return str([step["detail"] for step in lab.trace(name, organisation)])


def soon(seconds):
    time_ = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return time_.strftime("%Y-%m-%dT%H:%M:%SZ")


def fetched(lab):
    return lab.platform.postgresql.psql("SELECT count(*), min(fetched_at) FROM sealgate.crl")


@contextlib.contextmanager
def lists_gone(lab):
    """The CA's lists cannot be had, and nobody here knows them."""
    lab.platform.refca.stop()
    lab.forget_certificates()
    try:
        yield
    finally:
        lab.platform.refca.start()
        lab.forget_certificates()


def test_renewed_without_mail(lab):
    """REQ-39: lists in use are fetched again and again while no mail passes."""
    assert verdict(lab, A, subject("first")) == VERIFIED
    for _ in range(2):
        before = fetched(lab)
        wait_for(lambda b=before: fetched(lab) != b, 60, "the lists to be renewed")


def test_found_after_a_restart(lab):
    """REQ-39: with the CA away, from the database."""
    assert verdict(lab, A, subject("before")) == VERIFIED
    with lists_gone_but_known(lab):
        lab.platform.gatewayd.stop()
        lab.platform.gatewayd.start()
        name = subject("restarted")
        assert verdict(lab, A, name) == VERIFIED
        assert "grace" not in details(lab, name)


def test_bypass_of_a_domain(lab):
    """REQ-59, 68: both directions; of that domain alone; until its end, which comes by itself."""
    with lists_gone(lab):
        name = subject("doubted")
        assert verdict(lab, A, name) == UNKNOWN
        assert "could not be had: Connection refused" in details(lab, name)
        held, of_b = subject("held"), subject("of-b")
        send(lab, A, held)
        send(lab, B, of_b)
        assert lab.held(lab.a, MEMBER, held) and lab.decided(held)["code"] == "212"
        with lab.policy(lab.a, {"crl_bypass_until": soon(3600)}):
            name = subject("bypassed")
            assert verdict(lab, A, name) == VERIFIED
            assert "checking is bypassed for the whole domain until" in details(lab, name)
            raw = lab.arrived(MEMBER, held)[0].raw
            assert b"Kia ora." in lab.open_at(MEMBER, raw)
            wait_for(lambda: "checking is bypassed" in details(lab, held), 60, "the trace of the held mail")
            assert verdict(lab, B, subject("b-doubts")) == UNKNOWN
            assert lab.held(lab.b, MEMBER, of_b)
        assert verdict(lab, A, subject("taken-back")) == UNKNOWN
        for seconds in (8, 60):  # of a mail that took longer nothing can be said
            began = time.monotonic()
            with lab.policy(lab.a, {"crl_bypass_until": soon(seconds)}):
                during = verdict(lab, A, subject("for-a-while"))
                in_time = time.monotonic() - began < seconds - 1  # its end is said in whole seconds
                if in_time:
                    assert during == VERIFIED
                    wait_for(lambda: verdict(lab, A, subject("ended")) == UNKNOWN, 60 + seconds, "the bypass to end")
                    break
        assert in_time
    lab.settled(of_b, {f"joe@{MEMBER}": "delivered"}, lab.b)


def test_bypass_of_a_certificate(lab):
    """REQ-59: of the partner's, the CA's above it and our own, for all of us."""
    api = lab.platform.api
    chains = [lab.partners[MEMBER].identity, lab.ours[A]]
    pems = {path.read_text(encoding="ascii") for identity in chains for path in [identity.certificate, *identity.chain]}
    with lists_gone(lab):
        made = [api.post("/v1/crl-bypasses", {"sha256": hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest(),
                                              "reason": "The CA has burnt down", "ends_at": soon(3600)}) for pem in pems]
        name = subject("excepted")
        assert verdict(lab, A, name) == VERIFIED
        assert "because: The CA has burnt down" in details(lab, name)
        sent = subject("sent")
        send(lab, A, sent)
        assert b"Kia ora." in lab.open_at(MEMBER, lab.arrived(MEMBER, sent)[0].raw)
        for one in made:
            api.delete(f"/v1/crl-bypasses/{one['id']}")
        assert verdict(lab, A, subject("excepted-no-more")) == UNKNOWN


def test_a_root_that_is_gone_is_found_out_untold(lab):
    """Deleted behind the triggers, as if the one who listens could not come back: it does not outlive what is kept."""
    def psql(script):
        lab.platform.postgresql.psql(f"SET session_replication_role = replica; SET search_path = sealgate; {script}")
    assert verdict(lab, A, subject("rooted")) == VERIFIED
    psql("CREATE TABLE kept AS SELECT * FROM trust_anchor; DELETE FROM trust_anchor")
    try:
        wait_for(lambda: verdict(lab, A, subject("rootless")) == "unverified; code=102,112", 60, "the root to count no more")
    finally:
        psql("INSERT INTO trust_anchor SELECT * FROM kept; DROP TABLE kept")
    wait_for(lambda: verdict(lab, A, subject("rooted")) == VERIFIED, 60, "the root to count again")


def test_revoked_while_no_mail_passes(lab, record_property):
    """REQ-36: known as soon as the list is renewed, although the certificate was good a moment ago."""
    assert verdict(lab, A, subject("good")) == VERIFIED
    lab.partners[MEMBER].revoke("keyCompromise")
    begin = time.monotonic()
    wait_for(lambda: verdict(lab, A, subject("revoked")) == "unverified; code=101", 60, "the list to be renewed")
    record_property("seconds_from_publication_to_use", round(time.monotonic() - begin, 2))
    # A bypass does not hide it.
    with lists_gone_but_known(lab), lab.policy(lab.a, {"crl_bypass_until": soon(3600)}):
        assert verdict(lab, A, subject("known")) == "unverified; code=101"


@contextlib.contextmanager
def lists_gone_but_known(lab):
    lab.platform.refca.stop()
    try:
        yield
    finally:
        lab.platform.refca.start()
