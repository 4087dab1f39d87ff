#!/usr/bin/python3
"""The folder's server and client (lmtp_echo) between other people's: Postfix's smtp-source and
smtp-sink, and Python's smtplib. Argument: the lmtp_echo program."""
import contextlib
import os
import pwd
import shutil
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ECHO = sys.argv.pop(1)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, what):
    end = time.monotonic() + 20
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("not in time: " + what)
        time.sleep(0.02)


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as s:
        return s.recv(3) == b"220"
    return False


class Peers(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="sg-peers-")
        self.addCleanup(shutil.rmtree, self.dir)
        os.chmod(self.dir, 0o777)

    def run_in_background(self, *command, clean=False, **more):
        """clean: it is to end with status 0 (a sanitizer would say otherwise)."""
        process = subprocess.Popen(command, **more)

        def end():
            process.terminate()
            status = process.wait(20)
            if process.stdout:
                process.stdout.close()
            if clean:
                self.assertEqual(status, 0)
        self.addCleanup(end)
        return process

    def sink(self, *options):
        """smtp-sink; every message becomes a file."""
        port = free_port()
        user = ["-u", "nobody"] if os.getuid() == 0 else []
        self.mail = os.path.join(self.dir, "mail")
        os.mkdir(self.mail)
        if user:
            os.chown(self.mail, pwd.getpwnam("nobody").pw_uid, -1)
        self.run_in_background("/usr/sbin/smtp-sink", *user, *options, "-d",
                               self.mail + "/%M.", f"127.0.0.1:{port}", "100",
                               cwd="/", stderr=subprocess.DEVNULL)
        wait_for(lambda: answers(port), "smtp-sink")
        return port

    def echo(self, listen, sink_port, sink_protocol):
        self.port = free_port()
        self.relay = self.run_in_background(ECHO, f"inet:127.0.0.1:{self.port}", listen,
                                            str(sink_port), sink_protocol, clean=True,
                                            stdout=subprocess.PIPE)
        self.assertEqual(self.relay.stdout.readline(), b"ready\n")

    def source(self, *options):
        subprocess.run(["/usr/sbin/smtp-source", *options, f"127.0.0.1:{self.port}"], check=True,
                       timeout=60)

    def dumped(self):
        texts = []
        for name in os.listdir(self.mail):
            with open(os.path.join(self.mail, name), "rb") as f:
                text = f.read()
            if text:
                texts.append(text)
        return texts

    def test_lmtp_both_sides(self):
        self.echo("lmtp", self.sink("-L"), "lmtp")
        self.source("-L", "-s", "8", "-m", "200", "-r", "3", "-l", "6000")
        texts = self.dumped()
        self.assertEqual(len(texts), 200)
        for text in texts:
            self.assertEqual(text.count(b"X-Rcpt-Args: "), 3)
            self.assertGreater(len(text), 6000)

    def test_smtp_both_sides(self):
        self.echo("smtp", self.sink(), "smtp")
        self.source("-s", "8", "-m", "200", "-l", "6000", "-d")
        self.source("-s", "4", "-m", "40")  # a connection each
        self.assertEqual(len(self.dumped()), 240)

    def test_without_pipelining_and_without_ehlo(self):
        for options in (["-p"], ["-e"]):
            with self.subTest(options=options):
                self.echo("lmtp", self.sink(*options), "smtp")
                self.source("-L", "-s", "4", "-m", "40", "-r", "2")
                self.assertEqual(len(self.dumped()), 40)
                shutil.rmtree(self.mail)

    def test_larger_than_memory(self):
        self.echo("lmtp", self.sink("-L"), "lmtp")
        self.source("-L", "-s", "2", "-m", "4", "-l", "5000000")
        texts = self.dumped()
        self.assertEqual(len(texts), 4)
        for text in texts:
            self.assertEqual(text.count(b"X" * 70), texts[0].count(b"X" * 70))
            self.assertGreater(len(text), 4900000)  # without its CRs

    def test_octets(self):
        """8-bit, dots, long lines, empty lines, NUL: as they were (smtp-sink drops CRs)."""
        self.echo("smtp", self.sink("-8"), "smtp")
        body = b"Subject: x\r\n\r\n.\r\n..\r\n.a\r\n" + bytes(
            c for c in range(256) if c not in (10, 13)) + b"\r\n" + b"y" * 5000 + b"\r\n\r\n\r\nend"
        with smtplib.SMTP("127.0.0.1", self.port) as s:
            s.ehlo("x")
            s.mail("a@b.test", ["BODY=8BITMIME"])
            s.rcpt("c@d.test")
            self.assertEqual(s.data(body)[0], 250)
        text, = self.dumped()
        self.assertIn((body + b"\r\n").replace(b"\r", b""), text)

    def test_refusals_come_back(self):
        self.echo("smtp", self.sink("-f", "rcpt"), "smtp")
        with smtplib.SMTP("127.0.0.1", self.port) as s:
            with self.assertRaises(smtplib.SMTPDataError) as refused:
                s.sendmail("a@b.test", ["c@d.test"], "Subject: x\r\n\r\nx\r\n")
            self.assertEqual(refused.exception.smtp_code, 500)
            self.assertEqual(s.noop()[0], 250)
        self.assertEqual(self.dumped(), [])

    def test_peer_hangs_up(self):
        """After the final dot: a temporary answer, and the message is not sent again."""
        self.echo("smtp", self.sink("-q", "."), "smtp")
        with smtplib.SMTP("127.0.0.1", self.port) as s:
            for _ in range(3):
                with self.assertRaises(smtplib.SMTPDataError) as refused:
                    s.sendmail("a@b.test", ["c@d.test"], "Subject: x\r\n\r\nx\r\n")
                self.assertEqual(refused.exception.smtp_code, 451)
        self.assertLessEqual(len(self.dumped()), 3)

    def test_stop_under_load(self):
        """What was answered with 250 has arrived, and nothing else has twice."""
        self.echo("smtp", self.sink(), "smtp")
        taken = []
        with smtplib.SMTP("127.0.0.1", self.port) as s:
            for n in range(50):
                s.sendmail("a@b.test", ["c@d.test"], f"Subject: n{n}.\r\n\r\nx\r\n")
                taken.append(n)
                if n == 30:
                    self.relay.terminate()
                    break
            with self.assertRaises((smtplib.SMTPException, OSError)):
                for n in range(31, 1000):
                    s.sendmail("a@b.test", ["c@d.test"], f"Subject: n{n}.\r\n\r\nx\r\n")
                    taken.append(n)
        self.assertEqual(self.relay.wait(20), 0)
        texts = self.dumped()
        for n in taken:
            self.assertEqual(sum(f"Subject: n{n}.\n".encode() in t for t in texts), 1)
        self.assertLessEqual(len(texts) - len(taken), 1)


if __name__ == "__main__":
    unittest.main()
