"""Directories with lists of members, each a slapd of its own: started, filled, stopped, hung.

    with Slapd(folder, ports) as directory:
        directory.put("SEEMAIL2", ["agency-a.test"], version="7")
"""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from sealgate.directory import Directory
from sealgate.layout import DIRECTORY, GROUP, Layout
from sealgate.ports import PortBlock


class ClosedDirectory(Directory):
    """Nobody reads who has not bound, and nobody binds without TLS."""

    def prepare(self):
        super().prepare()
        text = self.conf.read_text("utf-8")
        text = text.replace("require LDAPv3\n",
                            "require LDAPv3 authc\ndisallow bind_anon\nsecurity simple_bind=128\n")
        self.layout.write(self.conf, text.replace("access to * by * read", "access to * by users read by * none"),
                          0o400, DIRECTORY, GROUP)

    def answers(self):
        return b"c=NZ" in tool(self, "ldapsearch", "-LLL", "-o", "nettimeout=3", "-b", "c=NZ", "-s", "base",
                               check=False).stdout


def tool(directory, name, *arguments, **more):
    """One of the ldap-utils, as the one who may write, over TLS."""
    return subprocess.run([name, "-x", "-ZZ", "-H", directory.url, "-D", "cn=admin,c=NZ", "-y",
                           str(directory.password_file), *arguments], capture_output=True,
                          env={**os.environ, "LDAPTLS_CACERT": str(directory.certificate)}, timeout=60, **more)


class Slapd:
    def __init__(self, closed=False):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sgl", dir="/var/tmp"))
        self.ports = PortBlock()
        self.layout = Layout(self.folder, self.ports.base)
        self.directory = (ClosedDirectory if closed else Directory)(self.layout)
        self.url, self.ldaps_url = self.directory.url, self.directory.ldaps_url

    def __enter__(self):
        try:
            self.layout.prepare()
            self.directory.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.signal(signal.SIGCONT)
        self.directory.stop()
        self.ports.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def ca_pem(self):
        return self.directory.certificate.read_text("ascii")

    def signal(self, number):
        pid = self.directory.pid()
        if pid is not None:
            os.kill(pid, number)

    def hang(self):
        self.signal(signal.SIGSTOP)

    def go_on(self):
        self.signal(signal.SIGCONT)

    def _ldap(self, name, text):
        tool(self.directory, name, input=text.encode(), check=True)

    def put(self, name, domains, version=None, raw=()):
        """A list as a whole; raw: values that are no "*@domain"."""
        self.remove(name)
        lines = [f"dn: cn={name},c=NZ", "objectClass: nisMailAlias", f"cn: {name}"]
        lines += [f"rfc822MailMember: *@{domain}" for domain in domains]
        lines += [f"rfc822MailMember: {value}" for value in raw]
        if version:
            lines += ["objectClass: extensibleObject", f"description: {version}"]
        self._ldap("ldapadd", "\n".join(lines) + "\n")

    def change(self, name, add=(), delete=()):
        """Members of a list that is there, as the CA adds and removes them."""
        lines = [f"dn: cn={name},c=NZ", "changetype: modify"]
        for what, domains in (("add", add), ("delete", delete)):
            for domain in domains:
                lines += [f"{what}: rfc822MailMember", f"rfc822MailMember: *@{domain}", "-"]
        self._ldap("ldapmodify", "\n".join(lines) + "\n")

    def remove(self, name):
        try:
            self._ldap("ldapmodify", f"dn: cn={name},c=NZ\nchangetype: delete\n")
        except subprocess.CalledProcessError as error:
            assert error.returncode == 32, error.stderr  # noSuchObject
