"""Trigger words in winmail.dat, through the real sockets and the real helper processes: REQ-14, 33."""
import base64
import contextlib
import os
import signal
import subprocess
import tempfile

import pytest

import outlook
from policylab import Lab
from sealgate.ops import Ops
from sealgate.ports import PortBlock
from sealgate.process import children
from setting import A, OUTSIDE, Setting, simple

JOE, SOMEBODY = f"joe@{A}", f"x@{OUTSIDE}"
RTF = (rb"{\rtf1\ansi\ansicpg1252\fromtext \deff0{\fonttbl{\f0\fswiss\fcharset0 Arial;}}"
       b"\r\n" rb"\uc1\pard\plain\deftab360 \f0\fs20 Kia ora,\par" b"\r\n" rb"\par" b"\r\n"
       rb"attached is what was asked for. %s\par" b"\r\n" rb"}")
# A word in two runs, as Outlook writes what somebody made bold by half.
WORD = rb"It is [SENSI{\b TIVE}]."


def winmail(text):
    return outlook.stream(
        outlook.attribute(outlook.MESSAGE_CLASS, b"IPM.Microsoft Mail.Note\0"),
        outlook.properties(outlook.prop(0x001a, outlook.UNICODE, "IPM.Note"),
                           outlook.prop(0x3fde, outlook.LONG, 1252),
                           outlook.prop(0x1009, outlook.BINARY, outlook.rtf_compressed(RTF % text))),
        outlook.attachment((outlook.ATTACH_TITLE, b"report.bin\0"),
                           (outlook.ATTACH_DATA, os.urandom(3000))))


def mail(subject, tnef):
    """As Exchange sends it: a plain text without the words, and the winmail.dat."""
    encoded = base64.encodebytes(tnef).replace(b"\n", b"\r\n")
    return (f"From: Joe <{JOE}>\r\nTo: <{SOMEBODY}>\r\nSubject: {subject}\r\n"
            f"Date: Mon, 23 Nov 2026 10:00:00 +1300\r\nMessage-ID: <{subject}@x.test>\r\n"
            "X-MS-Has-Attach: yes\r\nX-MS-TNEF-Correlator: <4711@x.test>\r\nMIME-Version: 1.0\r\n"
            "Content-Type: multipart/mixed; boundary=\"_000_\"\r\n\r\n"
            "--_000_\r\nContent-Type: text/plain; charset=\"us-ascii\"\r\n\r\nKia ora.\r\n\r\n"
            "--_000_\r\nContent-Type: application/ms-tnef; name=\"winmail.dat\"\r\n"
            "Content-Disposition: attachment; filename=\"winmail.dat\"\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n").encode() + encoded + b"\r\n--_000_--\r\n"


@pytest.fixture(scope="module")
def lab():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgt", dir="/var/tmp") as folder:
        s = Lab(folder, block)
        try:
            Setting.start(s)  # without the partners
            yield s
        finally:
            s.stop()


def submit(lab, subject, tnef):
    message = mail(subject, tnef)
    lab.submit(JOE, [SOMEBODY], message)
    return message


def goes_out(lab, subject, tnef=None):
    """It comes out byte for byte."""
    message = submit(lab, subject, tnef or winmail(b"Nothing secret."))
    assert lab.arrived(OUTSIDE, subject)[0].raw.endswith(message[message.index(b"MIME-Version"):])


def stays_here(lab, subject, tnef=None):
    """Refused as what holds a trigger word."""
    submit(lab, subject, tnef or winmail(WORD))
    lab.settled(subject, {SOMEBODY: "refused"})
    assert not [m for m in lab.servers[OUTSIDE].mails if subject.encode() in m.raw]


def helpers(lab):
    """Of gatewayd's children those that read TNEF, by what the kernel calls them."""
    def name(pid):
        try:
            with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                return f.read().strip()
        except (FileNotFoundError, ProcessLookupError):
            return None
    return {pid for pid in children(lab.platform.gatewayd.pid()) if name(pid) == "sealgate-tnef"}


def counted(lab, outcome):
    figures = Ops(lab.platform.layout.ops("gatewayd")).series()
    return figures['sealgate_gateway_tnef_total{outcome="%s"}' % outcome]


def test_a_word_in_compressed_rtf_alone_is_found(lab):
    """REQ-14, 33: Outlook's mail to an outsider; without the word it goes as it is."""
    before = counted(lab, "read")
    assert b"SENSITIVE" not in winmail(WORD)
    goes_out(lab, "tnef-without-word")
    stays_here(lab, "tnef-with-word")
    assert b"[Code: 001]" in lab.notice(A, "SECURE DELIVERY FAILURE", "tnef-with-word", to=JOE).raw
    assert counted(lab, "read") >= before + 2


def test_a_word_in_an_attached_message(lab):
    """REQ-33: a mail within the winmail.dat is text too."""
    inner = winmail(WORD)
    stays_here(lab, "tnef-inner-word", outlook.stream(
        outlook.attribute(outlook.BODY, b"See the attached mail.\0"),
        outlook.attachment(outlook.attached(outlook.attached_message(inner)))))


def shot(pid):
    with contextlib.suppress(ProcessLookupError):  # its message is done, and it has ended
        os.kill(pid, signal.SIGKILL)


def test_killed_helpers_cost_no_mail(lab):
    """Each message has a process of its own, and one that somebody kills is no message's fault."""
    goes_out(lab, "tnef-kill-before")
    for i in range(4):
        killed = helpers(lab)
        assert killed, "a helper waits for the next message"
        for pid in killed:
            shot(pid)
        if i % 2:
            stays_here(lab, f"tnef-killed-{i}")
        else:
            goes_out(lab, f"tnef-killed-{i}")
    # And while they are at work: whatever is hit, nothing with the word gets out.
    for i in range(6):
        submit(lab, f"tnef-shot-{i}", winmail(WORD))
        for pid in helpers(lab):
            shot(pid)
    for i in range(6):
        lab.message(f"tnef-shot-{i}")
    goes_out(lab, "tnef-kill-after")
    assert not [m for m in lab.servers[OUTSIDE].mails if b"tnef-shot" in m.raw]


def is_quarantined(lab, subject, tnef):
    submit(lab, subject, tnef)
    lab.settled(subject, {SOMEBODY: "held"})
    assert lab.decided(subject)["rule"] == "undecodable"
    assert lab.held(lab.a, OUTSIDE)["quarantined"]
    assert not [m for m in lab.servers[OUTSIDE].mails if subject.encode() in m.raw]


BROKEN = {
    "truncated": winmail(b"Nothing secret.")[:-1000],
    "checksum": outlook.stream(outlook.attribute(outlook.BODY, b"Kia ora\0", checksum=1)),
    "no-tnef": b"this is no TNEF at all",
    "crc": outlook.stream(outlook.properties(
        outlook.prop(0x1009, outlook.BINARY, outlook.rtf_compressed(RTF % b"Nothing", crc=1)))),
}


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_what_cannot_be_read_follows_the_domains_policy(lab, kind):
    """REQ-33: undecodable_action, quarantine unless the domain says otherwise."""
    is_quarantined(lab, f"tnef-{kind}-held", BROKEN[kind])
    with lab.policy(lab.a, {"undecodable_action": "send"}):
        goes_out(lab, f"tnef-{kind}-sent", BROKEN[kind])
    # A word that is found stops it, whatever else is broken.
    if kind == "checksum":
        with lab.policy(lab.a, {"undecodable_action": "send"}):
            stays_here(lab, f"tnef-{kind}-word",
                       outlook.stream(outlook.attribute(outlook.BODY, b"[SENSITIVE]\0", checksum=1)))


def test_without_its_helper_nothing_is_taken_for_read(lab):
    """Fail closed: mail with a winmail.dat waits, whatever the domain does with what cannot be read, for nobody has tried to;
    other mail flows, and so does this when the helper is there again."""
    def waits(subject, tnef):
        submit(lab, subject, tnef)
        lab.settled(subject, {SOMEBODY: "deferred"})
        assert not [m for m in lab.servers[OUTSIDE].mails if subject.encode() in m.raw]
    program = lab.platform.layout.bin / "sealgate-tnef"
    away = program.with_name("sealgate-tnef.away")
    before = counted(lab, "unavailable")
    program.rename(away)
    try:
        for pid in helpers(lab):
            shot(pid)
        with lab.policy(lab.a, {"undecodable_action": "send"}):
            waits("tnef-no-helper", winmail(b"Nothing secret."))
            assert counted(lab, "unavailable") > before
            waits("tnef-no-helper-word", winmail(WORD))
            lab.submit(JOE, [SOMEBODY], simple(JOE, [SOMEBODY], "no-tnef-at-all"))
            lab.arrived(OUTSIDE, "no-tnef-at-all")
    finally:
        away.rename(program)
    lab.arrived(OUTSIDE, "tnef-no-helper")
    lab.settled("tnef-no-helper-word", {SOMEBODY: "refused"})
    goes_out(lab, "tnef-helper-again")


def test_limits_of_the_configuration(lab, tmp_path):
    """A helper's memory must hold the stream and the program."""
    text = (lab.platform.layout.etc / "gatewayd.conf").read_text("utf-8")
    for memory, good in (("49152k", True), ("49151k", False)):
        conf = tmp_path / f"{memory}.conf"
        conf.write_text(text.replace("[tnef]\n", f"[tnef]\nsize = 32m\nmemory = {memory}\n"), "utf-8")
        done = subprocess.run([lab.platform.layout.bin / "gatewayd", "-c", conf, "-t"],
                              capture_output=True, text=True, check=False)
        assert (done.returncode == 0) == good, done.stderr
        assert good or "memory is less than size and 16m in [tnef]" in done.stderr
