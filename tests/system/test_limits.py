"""The limits of what comes in, each at its edge: as much as is allowed is served, one more is refused in clear words or
judged as what we do not do, and the next mail is served. A client that drips is cut off in time. REQ-22 REQ-81"""
import base64
import contextlib
import os
import socket
import tempfile
import threading
import time

import pytest

import forge
from crllab import Shelf, der_entry, signed_list
from forge import der, integer, octets, oid, seq
from sealgate.api import Problem
from sealgate.mailserver import HANG
from sealgate.ops import Ops
from sealgate.ports import PortBlock
from sealgate.process import NotReady, wait_for
from setting import A, B, C, FROM_A, FROM_B, OUTSIDE, header, simple
from spoof import VICTIM, Spoof
from statements import Statements
from test_cache import ACTOR, NOCERT
from test_feed import away
from test_hostile_sizes import CONTENT, entity, mail, signed
from test_mail_hostile import Lines
from test_stop_load import Log

COMMAND_S, DATA_S, MESSAGE, CONNECTIONS = 3, 6, 2 << 20, 40
CERTIFICATES, ELEMENTS, SIGNERS, KEYS = 500, 200, 20, 16
WAITING_SHARE, WAITING_EACH, WAITING_S = 10, 3, 10  # a tenth of the connections: four
REMEMBERED = 100  # messages, of one recipient each
FROM, OTHERS_S = 7, 3
RECIPIENTS, HEADER, FIELDS, ERRORS, COMMAND = 900, 200 << 10, 1500, 15, 9000
LAYERS, CMS = 3, 5 << 18
CRL = 20000
FEED = 6
LIFETIME_H, FIRST_H, MOST_H = 90, 7, 20
HELD = 3 << 20  # octets of a tenant
DRY_RUNS, DRY_RECIPIENTS = 2, 5


class Limited(Spoof):
    def __init__(self, folder, block):
        super().__init__(folder, block)
        self.free_port = block.base + 17
        self.platform.settings = {"gatewayd": {
            "limits.command_timeout": f"{COMMAND_S}s", "limits.data_timeout": f"{DATA_S}s", "limits.message": MESSAGE,
            "limits.connections": CONNECTIONS, "limits.certificates": CERTIFICATES, "limits.signers": SIGNERS,
            "limits.certificate_elements": ELEMENTS, "limits.envelope_keys": KEYS, "limits.waiting_share": WAITING_SHARE,
            "limits.waiting_each": WAITING_EACH, "limits.waiting_time": f"{WAITING_S}s",
            "gateway.registry": REMEMBERED, "gateway.registry_recipients": 1, "limits.from_mailboxes": FROM,
            "hold.others": f"{OTHERS_S}s", "limits.layers": LAYERS, "limits.cms": CMS, "journal.feed_batch": FEED,
            "certificates.crl_size": CRL,
            "hold.tenant_size": HELD, "hold.lifetime": f"{LIFETIME_H}h", "hold.retry_first": f"{FIRST_H}h", "hold.retry_most": f"{MOST_H}h",
            "limits.recipients": RECIPIENTS, "limits.header": HEADER, "limits.header_fields": FIELDS, "limits.errors": ERRORS,
            "limits.command_bytes": COMMAND, "simulation.at_once": DRY_RUNS, "simulation.recipients": DRY_RECIPIENTS}}

    def start(self):
        super().start()
        self.platform.api.post("/v1/member-domains", {"name": NOCERT, "environment": "seemail"})
        return self


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgl", dir="/var/tmp") as folder:
        s = Limited(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


def await_feed(setting):
    ops = Ops(setting.platform.layout.ops("gatewayd"))
    wait_for(lambda: ops.series()["sealgate_gateway_journal_backlog_records"] == 0, 30, "the journal to be fed")


@pytest.fixture(autouse=True)
def all_is_fed(setting):
    """Postfix's queue ids say when a message came; of one without that, which the registry may have forgotten, nobody can
    tell whether it is new before PostgreSQL has all of the journal."""
    await_feed(setting)


@contextlib.contextmanager
def connection(setting):
    with contextlib.closing(Lines("127.0.0.1", setting.platform.port["inbound"])) as lines:
        assert lines.say("LHLO in.test").startswith("250")
        yield lines


def served(setting, name):
    setting.from_outside(f"x@{OUTSIDE}", [f"ann@{B}"], simple(f"x@{OUTSIDE}", [f"ann@{B}"], name))
    setting.arrived(B, name)


def sent(setting, name, message):
    """As all_is_fed() says; the end of the mail before may be in the journal alone, which comes behind its reply."""
    def tried():
        await_feed(setting)
        reply = setting.lmtp(f"3{name}", f"x@{OUTSIDE}", f"ann@{B}", message)
        return None if reply.startswith("451 4.3.2 too busy") else reply
    return wait_for(tried, 30, f"a reply to {name}")


def verdict(setting, name, cms, kind="enveloped-data"):
    reply = sent(setting, name, entity(name, forge.entity(cms, kind)))
    assert reply.startswith("250"), reply
    return header(setting.arrived(B, name)[0].raw, "X-Sealgate-Verdict")


def sealed_signed(setting, **how):
    """A signature of that kind, in an envelope."""
    text = forge.entity(signed(setting, **how), "signed-data")
    cek, iv = os.urandom(32), os.urandom(16)
    return forge.enveloped_data([forge.transport(setting.agency[B], cek)], iv, forge.cbc(cek, iv, text))


GOOD, UNSUPPORTED, NOT_OPENED = f"verified; domain={VICTIM}", "unverified; code=002", "unverified; code=003"
NO_LIST = "unverified; code=104"


@pytest.mark.smoke
def test_certificates_of_a_signature(setting):
    """signed() puts in the chain of two, so often."""
    assert verdict(setting, "certificates-most", sealed_signed(setting, certificates=CERTIFICATES // 2)) == GOOD
    assert verdict(setting, "certificates-more", sealed_signed(setting, certificates=CERTIFICATES // 2 + 1)) == UNSUPPORTED


@pytest.mark.smoke
def test_elements_of_certificates(setting):
    """Of all together; the signer's own is in the directory."""
    def stack(elements):
        return seq(b"\x82\x00" * (elements - 1))
    most = CERTIFICATES * ELEMENTS
    assert verdict(setting, "elements-most", sealed_signed(setting, stack=stack(most))) == GOOD
    assert verdict(setting, "elements-more", sealed_signed(setting, stack=stack(most + 1))) == UNSUPPORTED


@pytest.mark.smoke
def test_signers_of_a_signature(setting):
    assert verdict(setting, "signers-most", sealed_signed(setting, signers=SIGNERS)) == GOOD
    assert verdict(setting, "signers-more", sealed_signed(setting, signers=SIGNERS + 1)) == UNSUPPORTED


@pytest.mark.smoke
def test_keys_of_an_envelope(setting):
    """The one that opens it is the last that is tried, or one behind that."""
    def envelope(before):
        cek, iv = os.urandom(32), os.urandom(16)
        empty = forge.transport(setting.agency[B], encrypted=b"")
        infos = der(0x31, empty * before + forge.transport(setting.agency[B], cek))
        text = forge.cbc(cek, iv, forge.detached(CONTENT, [setting.victim]))
        return forge.content_info(forge.ENVELOPED, seq(integer(0), infos, seq(
            forge.DATA, seq(forge.AES256_CBC, octets(iv)), der(0x80, text))))
    assert verdict(setting, "keys-most", envelope(KEYS - 1)) == GOOD
    assert verdict(setting, "keys-more", envelope(KEYS)) == NOT_OPENED


@pytest.mark.smoke
def test_layers(setting):
    """Envelopes around a signature; of one more than is opened the innermost is left."""
    def mail_of(envelopes):
        text = forge.entity(signed(setting), "signed-data")
        for _ in range(envelopes):
            cek, iv = os.urandom(32), os.urandom(16)
            text, cms = None, forge.enveloped_data([forge.transport(setting.agency[B], cek)], iv, forge.cbc(cek, iv, text))
            text = forge.entity(cms, "enveloped-data")
        return cms
    assert verdict(setting, "layers-most", mail_of(LAYERS - 1)) == GOOD
    assert verdict(setting, "layers-more", mail_of(LAYERS)) == UNSUPPORTED


@pytest.mark.smoke
def test_structure_of_a_cms_object(setting):
    """All but the content and the heads of what that stands in: of an envelope, made so large by a recipient of a kind of
    its own (RFC 5652 section 6.2.5)."""
    def envelope(structure):
        cek, iv = os.urandom(32), os.urandom(16)
        ours, cipher = forge.transport(setting.agency[B], cek), seq(forge.AES256_CBC, octets(iv))

        def infos(filler):
            return der(0x31, ours + der(0xa4, oid("1.2.3.4"), octets(b"x" * filler)))
        rest = len(forge.ENVELOPED + integer(0) + forge.DATA + cipher)
        filler = structure - rest - (len(infos(1 << 20)) - (1 << 20))
        assert len(infos(filler)) + rest == structure
        text = forge.cbc(cek, iv, forge.detached(CONTENT, [setting.victim]))
        return forge.content_info(forge.ENVELOPED, seq(integer(0), infos(filler), seq(forge.DATA, cipher, der(0x80, text))))
    assert verdict(setting, "cms-most", envelope(CMS)) == GOOD
    assert verdict(setting, "cms-more", envelope(CMS + 1)) == UNSUPPORTED


@pytest.mark.smoke
def test_size_of_a_revocation_list(setting, tmp_path):
    """Of the signer's certificate; tests/system/test_crl.py has the rest of it."""
    shelf = Shelf(tmp_path, setting.free_port)
    shelf.start()

    def list_of(size):
        """Serial numbers of 16 octets, and of two as many as are left."""
        def made(count, *octets_):
            return signed_list(setting.authority.key, setting.authority.certificate,
                               [der_entry((0x40 << 8 * (n - 1)) + i) for i, n in enumerate((*[16] * count, *octets_))])
        each = len(der_entry(0x40 << 8 * 15))
        count = 100 + (size - len(made(100, 16, 16))) // each
        left = 32 + size - len(made(count, 16, 16))
        count, left = (count, left) if left <= 40 else (count + 1, left - each)
        data = made(count, left // 2, left - left // 2)
        assert len(data) == size
        return data

    def verdict_of(name, size):
        (tmp_path / f"{name}.crl").write_bytes(list_of(size))
        authority = forge.Authority(setting.authority.certificate, setting.authority.key,
                                    f"http://127.0.0.1:{shelf.port}/{name}.crl", setting.authority.chain)
        signer = authority.certificate_for([f"{forge.DCA}@{VICTIM}"], setting.folder)
        cek, iv = os.urandom(32), os.urandom(16)
        return verdict(setting, name, forge.enveloped_data([forge.transport(setting.agency[B], cek)], iv,
                                                           forge.cbc(cek, iv, forge.detached(CONTENT, [signer]))))
    try:
        assert verdict_of("list-most", CRL) == GOOD
        assert verdict_of("list-more", CRL + 1) == NO_LIST
    finally:
        shelf.stop()


@pytest.mark.smoke
def test_recipients(setting):
    """So many of one message are one message; one more is told to come again."""
    people = [f"p{i}@{B}" for i in range(RECIPIENTS)]
    with connection(setting) as lmtp:
        assert lmtp.say("XFORWARD IDENT=3Thousand ADDR=192.0.2.1").startswith("250")
        assert lmtp.say(f"MAIL FROM:<x@{OUTSIDE}>").startswith("250")
        for person in people:
            assert lmtp.say(f"RCPT TO:<{person}>").startswith("250")
        assert lmtp.say(f"RCPT TO:<more@{B}>").startswith("452 4.5.3")
        assert lmtp.say("DATA").startswith("354")
        lmtp.file.write(mail("thousand", "", "x\r\n") + b".\r\n")
        lmtp.file.flush()
        assert all(lmtp.reply().startswith("250") for _ in people)
    got, = setting.arrived(B, "thousand")
    assert got.recipients == people
    served(setting, "after-thousand")


def test_recipients_by_way_of_postfix(setting):
    """Cut into pieces on the way, each gets it once."""
    people = [f"q{i}@{B}" for i in range(1000)]
    setting.from_outside(f"x@{OUTSIDE}", people, simple(f"x@{OUTSIDE}", [f"ann@{B}"], "many"))

    def all_of_them():
        return [r for m in setting.servers[B].mails if b"Subject: many\r\n" in m.head for r in m.recipients]
    end = time.monotonic() + 60
    while len(all_of_them()) < len(people) and time.monotonic() < end:
        setting.servers[B].wait(len(setting.servers[B].mails) + 1, 60)
    assert sorted(all_of_them()) == sorted(people)


@pytest.mark.smoke
def test_header(setting):
    """Octets and fields, with those that all mail here has."""
    def with_header(name, octets_=None, fields=None):
        bare = mail(name, b"", b"x\r\n")
        have = len(bare.partition(b"\r\n\r\n")[0]) + 2
        more = b"" if octets_ is None else b"X-F: " + b"y" * (octets_ - have - 7) + b"\r\n"
        if fields is not None:
            more = b"X-F: y\r\n" * (fields - 5)
        return mail(name, more, b"x\r\n")
    for name, limit in (("octets_", HEADER), ("fields", FIELDS)):
        for which, octets_, expected in (("most", limit, "250"), ("more", limit + 1, "451")):
            reply = sent(setting, f"header-{which}-{name}", with_header(f"header-{which}-{name}", **{name: octets_}))
            assert reply.startswith(expected), reply
        setting.arrived(B, f"header-most-{name}")
    served(setting, "after-header")


class Parts:
    """Of one message, each by a connection of its own; the first hangs at the customer's server."""

    def __init__(self, setting, name):
        self.setting, self.name, self.threads, self.replies = setting, name, [], {}
        setting.servers[B].answer("data", HANG, to=f"hangs-{name}@{B}")
        before = len(setting.servers[B].log)
        self.hand_in(f"hangs-{name}")
        wait_for(lambda: f"RCPT TO:<hangs-{name}@{B}>" in "".join(setting.servers[B].log[before:]), 30, "the one that hangs")

    def hand_in(self, *people):
        def one(person):
            self.replies[person] = self.setting.lmtp(f"3{self.name}", f"x@{OUTSIDE}", f"{person}@{B}", mail(self.name, "", "x\r\n"))
        for person in people:
            self.threads.append(threading.Thread(target=one, args=(person,)))
            self.threads[-1].start()

    def refused(self, log, setting_of_it):
        return sum(e["queue_id"] == f"3{self.name}" and setting_of_it in e["detail"] for e in log.of("inbound.deferred"))


@pytest.mark.smoke
def test_waiting_for_a_message(setting):
    """So many of its parts as may, so many of all messages, and each for so long: 451 then, and Postfix comes again."""
    log, began = Log(setting), time.monotonic()
    each = Parts(setting, "each")
    each.hand_in(*(f"p{i}" for i in range(WAITING_EACH + 1)))
    wait_for(lambda: each.refused(log, "waiting_each"), 30, "one more than may wait for a message")
    left = CONNECTIONS * WAITING_SHARE // 100 - WAITING_EACH
    share = Parts(setting, "share")
    share.hand_in(*(f"p{i}" for i in range(left + 1)))
    wait_for(lambda: share.refused(log, "waiting_share"), 30, "one more than may wait in all")
    wait_for(lambda: len(each.replies) + len(share.replies) == WAITING_EACH + left + 2, 60, "the end of waiting")
    assert time.monotonic() - began >= WAITING_S
    assert [each.refused(log, limit) for limit in ("waiting_each", "waiting_share", "waiting_time")] == [1, 0, WAITING_EACH]
    assert [share.refused(log, limit) for limit in ("waiting_each", "waiting_share", "waiting_time")] == [0, 1, left]
    assert all(r.startswith("451 4.3.2") for r in [*each.replies.values(), *share.replies.values()])
    setting.servers[B].stop()  # what hangs is cut off
    setting.servers[B].accept_all()
    setting.servers[B].start()
    for thread in each.threads + share.threads:
        thread.join()
    assert sent(setting, "each", mail("each", "", "x\r\n")).startswith("250")


def test_mailboxes_of_from(setting):
    for name, count, expected in (("from-most", FROM, None), ("from-more", FROM + 1, "unverified; code=002")):
        message = (f"From: {', '.join(f'u@d{n}.{OUTSIDE}' for n in range(count))}\r\nTo: ann@{B}\r\nSubject: {name}\r\n"
                   "\r\nx\r\n").encode()
        assert sent(setting, name, message).startswith("250")
        assert header(setting.arrived(B, name)[0].raw, "X-Sealgate-Verdict") == expected


def held_mail(setting, name):
    """The only one."""
    setting.submit(f"joe@{A}", [f"x@{NOCERT}"], simple(f"joe@{A}", [f"x@{NOCERT}"], name))
    held, = wait_for(lambda: setting.a.held(state="held"), 30, "held mail")
    return held


def test_what_another_node_had_in_hand(setting):
    """It is left to that node for so long, and then taken."""
    held = held_mail(setting, "in-hand")
    began = time.monotonic()
    setting.platform.postgresql.psql(f"BEGIN; {ACTOR} UPDATE sealgate.held_message SET leased_by = 'another',"
                                     " leased_until = now(), next_try_at = now(); COMMIT")
    wait_for(lambda: setting.a.held()[0]["attempts"] > held["attempts"], 60, "its next try")
    assert time.monotonic() - began >= OTHERS_S
    setting.platform.api.delete(f"{setting.a.path}/held/{held['id']}")


def test_waits_of_held_mail(setting):
    """REQ-57: the first, doubled, the longest; and the time after which it is given up."""
    held = held_mail(setting, "waits")
    ((id_, lifetime, first),) = setting.platform.postgresql.rows(
        "SELECT id, extract(epoch FROM expires_at - held_at), extract(epoch FROM next_try_at - held_at) FROM held_message"
        f" WHERE id = '{held['id']}'")
    assert (float(lifetime), float(first)) == (LIFETIME_H * 3600, FIRST_H * 3600)
    for tries, hours in ((1, 2 * FIRST_H), (2, MOST_H), (3, MOST_H)):
        setting.platform.postgresql.psql(f"BEGIN; {ACTOR} UPDATE sealgate.held_message SET next_try_at = now()"
                                         f" WHERE id = '{id_}'; COMMIT")
        left = "extract(epoch FROM next_try_at - now())"
        ((seconds,),) = wait_for(lambda n=tries: setting.platform.postgresql.rows(
            f"SELECT {left} FROM held_message WHERE id = '{id_}' AND attempts = {n} AND {left} > 60"), 30, f"try {tries}")
        assert hours * 3600 - 60 < float(seconds) <= hours * 3600
    setting.platform.api.delete(f"{setting.a.path}/held/{id_}")


def test_held_mail_of_a_tenant(setting):
    """What would be beyond it stays in the queue of Postfix "out", and is held when there is room again. Another tenant's is held."""
    quiet(setting)
    out = setting.platform.postfix_out

    def submit(name, octets, author=f"joe@{A}", source=FROM_A):
        setting.submit(author, [f"x@{NOCERT}"], simple(author, [f"x@{NOCERT}"], name, "\r\n" * (octets // 2)), source)

    def held(name):
        return wait_for(lambda: setting.platform.postgresql.rows(
            "SELECT h.id, h.size_bytes, m.size_bytes FROM held_message h JOIN message m ON m.id = h.msg_id "
            f"WHERE h.state = 'held' AND m.message_id LIKE '{name}@%'"), 30, f"{name} to be held")[0]

    submit("room-1", HELD // 3)
    first, stored, size = held("room-1")
    left = HELD // 3 + HELD - int(stored) - int(size)  # what another one may have
    submit("room-2", left - 64)  # Postfix's field differs by a few octets
    second, *_ = held("room-2")
    setting.platform.api.delete(f"{setting.a.path}/held/{second}")
    submit("room-3", left + 64)
    full = wait_for(lambda: [m for m in out.queue() if m["queue_name"] == "deferred"], 30, "one that is put off")
    assert "452 4.3.1 no more mail can be held" in full[0]["recipients"][0]["delay_reason"]
    submit("room-4", HELD // 2, f"bob@{B}", FROM_B)
    held("room-4")
    assert Ops(setting.platform.layout.ops("gatewayd")).series()["sealgate_gateway_hold_full_total"] >= 1
    assert "delayed" not in str(setting.platform.postgresql.rows(
        "SELECT kind FROM notice n JOIN message m ON m.id = n.msg_id WHERE m.message_id LIKE 'room-3@%'"))
    setting.platform.api.delete(f"{setting.a.path}/held/{first}")
    out.flush()
    held("room-3")
    for organisation in (setting.a, setting.b):
        for one in organisation.held(state="held"):
            setting.platform.api.delete(f"{organisation.path}/held/{one['id']}")


def dry_run(setting, people, organisation=None, author=f"joe@{A}"):
    return setting.platform.api.post(f"{(organisation or setting.a).path}/simulations", {
        "direction": "outbound", "sender": author, "recipients": people,
        "message": base64.b64encode(simple(author, people, "dry")).decode()})["plans"]


def test_dry_runs_at_a_time(setting):
    """One more waits until another is done. Each asks for a domain of which nothing is known yet, and cannot be told of it. Each is of
    another tenant: what is not known of that any more would be one question for all."""
    plans = []
    who = ((setting.a, f"joe@{A}"), (setting.b, f"bob@{B}"), (setting.c, f"cat@{C}"))
    assert len(who) == DRY_RUNS + 1
    threads = [threading.Thread(target=lambda n=n, one=one: plans.extend(dry_run(setting, [f"x@dry{n}.{OUTSIDE}"], *one)))
               for n, one in enumerate(who)]
    asking = ("SELECT 1 FROM pg_stat_activity WHERE application_name = 'gatewayd' AND wait_event_type = 'Lock'"
              " AND query LIKE '%member_domain%'")
    quiet(setting)  # mail asks for it as well
    with setting.locked("member_domain"):
        for thread in threads:
            thread.start()
        wait_for(lambda: len(setting.platform.postgresql.rows(asking)) >= DRY_RUNS, 20, "as many as may run")
        with pytest.raises(NotReady):
            wait_for(lambda: len(setting.platform.postgresql.rows(asking)) > DRY_RUNS, 1, "one more")
    for thread in threads:
        thread.join()
    assert [plan["action"] for plan in plans] == ["plain"] * (DRY_RUNS + 1)


def test_recipients_of_a_dry_run(setting):
    people = [f"p{n}@{B}" for n in range(DRY_RECIPIENTS + 1)]
    assert dry_run(setting, people[1:])[0]["recipients"] == people[1:]
    with pytest.raises(Problem) as problem:
        dry_run(setting, people)
    assert problem.value.status == 422 and f"1 to {DRY_RECIPIENTS}" in str(problem.value.body)


def test_records_fed_at_a_time(setting):
    """What has piled up comes in transactions of so many records, each message being one and its end another."""
    with away(setting.platform):
        for n in range(2 * FEED):
            reply = setting.lmtp(f"3Fed{n}", f"x@{OUTSIDE}", f"ann@{B}", mail(f"fed-{n}", "", "x\r\n"))
            assert reply.startswith("250"), reply
    await_feed(setting)
    counts = [int(n) for n, in setting.platform.postgresql.rows(
        "SELECT count(*) FROM message WHERE message_id LIKE 'fed-%' GROUP BY xmin::text")]
    assert sum(counts) == 2 * FEED and max(counts) == FEED // 2, counts


def quiet(setting):
    """Nothing comes any more of what the tests before began: held mail is tried, and told of, for as long as it is held."""
    platform = setting.platform
    for held in setting.a.held(state="held"):
        platform.api.delete(f"{setting.a.path}/held/{held['id']}")
    untold = "SELECT id FROM notice WHERE finished_at IS NULL"
    wait_for(lambda: platform.postgresql.rows(untold) == [], 60, "the notices to be on their way")
    wait_for(lambda: platform.postfix_out.queue() + platform.postfix_in.queue() == [], 60, "Postfix's queues to be empty")


def test_recipients_that_are_remembered(setting):
    """PostgreSQL is asked about a message again once it was forgotten."""
    quiet(setting)

    def retried(name, count):
        people = [f"p{i}@{B}" for i in range(count)]
        with connection(setting) as lmtp:
            for _ in range(2):
                with Statements(setting.platform.postgresql) as statements:
                    statements.begin()
                    assert lmtp.say(f"XFORWARD IDENT=3{name} ADDR=192.0.2.1").startswith("250")
                    lmtp.transaction(f"x@{OUTSIDE}", people, mail(name, "", "x\r\n"))
                    assert all(lmtp.reply().startswith("250") for _ in people)
                    asked = statements.counted("gatewayd")["message_find_by_queue"]
                served(setting, f"behind-{name}-{asked}")
                setting.steps(setting.b, name)  # it is in PostgreSQL
        assert len(setting.arrived(B, name)) == 1
        return asked
    assert retried("remembered", REMEMBERED) == 0
    assert retried("forgotten", REMEMBERED + 1) == 1


@pytest.mark.smoke
def test_size(setting):
    def of(name, size):
        bare = mail(name, b"", b"")
        text = (b"y" * 70 + b"\r\n") * (size // 72)
        return bare + text[:size - len(bare) - 2].rpartition(b"\r\n")[0].ljust(size - len(bare) - 2, b"z") + b"\r\n"
    assert len(of("size-most", MESSAGE)) == MESSAGE
    assert sent(setting, "size-most", of("size-most", MESSAGE)).startswith("250")
    assert sent(setting, "size-more", of("size-more", MESSAGE + 1)).startswith("552 5.3.4")
    setting.arrived(B, "size-most")
    served(setting, "after-size")


@pytest.mark.smoke
def test_commands(setting):
    """Their length, with the line end, and how many may be none."""
    with connection(setting) as lmtp:
        assert lmtp.say("NOOP " + "x" * (COMMAND - 7)).startswith("250")
        assert lmtp.say("NOOP " + "x" * (COMMAND - 6)).startswith("500 5.5.2 line too long")
        assert lmtp.say("NOOP " + "x" * 1000000).startswith("500 5.5.2 line too long")
        for _ in range(ERRORS - 2):
            assert lmtp.say("WHAT").startswith("500")
        assert lmtp.say("WHAT").startswith("421 4.7.0 too many errors")
        assert lmtp.file.readline() == b""


@pytest.mark.smoke
def test_connections(setting):
    """Of those that Postfix has open some are kept: so many at most are ours."""
    with contextlib.ExitStack() as stack:
        taken = 0
        for _ in range(CONNECTIONS + 1):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", setting.platform.port["inbound"]), 10))
            greeting = one.makefile("rb").readline()
            taken += greeting.startswith(b"220")
        assert greeting.startswith(b"421 4.3.2") and CONNECTIONS - 20 <= taken <= CONNECTIONS, (greeting, taken)
    served(setting, "after-connections")


# One octet at a time ---------------------------------------------------------------------------------------


def drip(lines, text, result, until):
    """Octet by octet, more slowly than the limit lets it end; how long until it was cut off, and with what."""
    began = time.monotonic()
    lines.socket.settimeout(0.25)
    for octet in text:
        try:
            lines.socket.sendall(bytes([octet]))
            said = lines.socket.recv(4096)
            if said:
                result.append((time.monotonic() - began, said))
            return
        except TimeoutError:
            if time.monotonic() - began > until:
                return
        except OSError:
            return


@pytest.mark.smoke
def test_drip(setting):
    """A command within its time, a message within its own, whoever drips; the others' mail does not wait for it."""
    at_command, in_data, threads = [], [], []
    with contextlib.ExitStack() as stack:
        for i in range(4):
            lines = stack.enter_context(connection(setting))
            threads.append(threading.Thread(target=drip, args=(lines, b"MAIL FROM:<" + b"x" * 1000, at_command, 4 * COMMAND_S)))
            lines = stack.enter_context(connection(setting))
            for command in (f"XFORWARD IDENT=3Drip{i} ADDR=192.0.2.1", f"MAIL FROM:<x@{OUTSIDE}>", f"RCPT TO:<ann@{B}>", "DATA"):
                assert lines.say(command)[0] in "23"
            threads.append(threading.Thread(target=drip, args=(lines, mail("drip", "", "x" * 1000), in_data, 4 * DATA_S)))
        for thread in threads:
            thread.start()
        served(setting, "beside-drip")
        for thread in threads:
            thread.join()
    for limit, cut in ((COMMAND_S, at_command), (DATA_S, in_data)):
        assert len(cut) == 4
        for seconds, said in cut:
            assert limit - 0.5 < seconds < 2 * limit and said.startswith(b"421 4.4.2"), (seconds, said)
    served(setting, "after-drip")
    assert not [m for m in setting.servers[B].mails if b"Subject: drip" in m.head]
