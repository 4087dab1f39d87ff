"""Member organisations with a gateway of somebody else's, and further certification authorities.

    ca = further_ca(platform, "ca-2", port)    # made; ca.start() serves its lists
    partner = Partner(platform, "partner.test", ca or platform.refca, "--not-after", "…")
    ca.publish()                               # what the CA's rules let into the directory
    partner.put()                              # by hand: what a directory should not, but may have
"""
import base64
import os
import re
import secrets
import subprocess

import peers
from sealgate import keypool
from sealgate.directory import ReferenceCA, run
from sealgate.layout import CA, GROUP

DCA = "domain-confidentiality-authority"
PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.S)


def further_ca(platform, name, port):
    folder = platform.layout.dir / name
    folder.mkdir(mode=0o700)
    os.chown(folder, CA, GROUP)
    ca = ReferenceCA(platform.layout, platform.directory, name, folder, port)
    ca.make(f"Test {name}")
    return ca


class Partner:
    """A domain, its key in a file, its certificate from a reference CA by a request of openssl's."""

    def __init__(self, platform, domain, ca=None, *terms, member="seemail", key=("rsa:2048",)):
        self.platform, self.domain, self.ca = platform, domain, ca or platform.refca
        self.folder = platform.layout.dir / "partners" / domain
        self.folder.mkdir(parents=True)
        request = self.folder / "request.pem"
        run(["openssl", "req", *keypool.request(self.folder / "key.pem", *key), "-out", request, "-subj", f"/C=NZ/O={domain}/CN={DCA}",
             "-addext", f"subjectAltName=email:{DCA}@{domain}"])
        chain = PEM.findall(self.ca.issue(request.read_text(encoding="ascii"), *terms))
        files = [self.folder / f"{i}.pem" for i in range(len(chain))]
        for path, pem in zip(files, chain):
            path.write_text(pem, encoding="ascii")
        self.identity = peers.Identity(domain, files[0], self.folder / "key.pem", files[1:])
        if member:
            platform.api.post("/v1/member-domains", {"name": domain, "environment": member})

    def put(self, identity=None):
        """This certificate, its own unless told, under this domain's address in the directory."""
        der = peers.run("openssl", "x509", "-in", (identity or self.identity).certificate,
                        "-outform", "DER")
        dn = f"ou={self.domain},c=NZ"
        self._add(f"dn: {dn}\nobjectClass: organizationalUnit\nou: {self.domain}\n\n", DCA, der)
        return self

    def beside(self, ca):
        """What another CA issued for the same key and name, in an entry beside the one it has."""
        request = (self.folder / "request.pem").read_text(encoding="ascii")
        pem = PEM.findall(ca.issue(request))[0]
        der = subprocess.run(["openssl", "x509", "-outform", "DER"], input=pem.encode(), check=True,
                             capture_output=True).stdout
        self._add("", "beside", der)
        return self

    def _add(self, before, cn, der):
        ldif = (f"{before}dn: cn={cn},ou={self.domain},c=NZ\nobjectClass: inetOrgPerson\n"
                f"cn: {cn}\nsn: {DCA}\nmail: {DCA}@{self.domain}\n"
                f"userCertificate;binary:: {base64.b64encode(der).decode()}\n")
        directory = self.platform.directory
        subprocess.run(["ldapadd", "-x", "-H", directory.url, "-D", "cn=admin,c=NZ", "-y",
                        str(directory.password_file)], input=ldif.encode(), check=True,
                       capture_output=True)

    def revoke(self, reason):
        path = self.ca.folder / f"revoke-{secrets.token_hex(6)}.pem"
        self.platform.layout.write(path, self.identity.certificate.read_text(encoding="ascii"),
                                   0o400, CA, GROUP)
        self.ca.run("revoke", path, "--reason", reason)
        path.unlink()
        return self


def from_directory(platform, domain, folder):
    """A domain's certificate as anybody finds it by LDAP, with the CAs that the directory has."""
    def values(flt, attribute):
        text = platform.directory.search("c=NZ", "sub", flt, attribute)
        return [base64.b64decode(value) for value in
                re.findall(rf"(?m)^{attribute};binary:: (.*)$", text)]

    folder.mkdir(exist_ok=True)
    paths = []
    for der in (values(f"(mail={DCA}@{domain})", "userCertificate")
                + values("(objectClass=pkiCA)", "cACertificate")):
        paths.append(folder / f"{domain}-{len(paths)}.pem")
        (folder / "der").write_bytes(der)
        peers.run("openssl", "x509", "-inform", "DER", "-in", folder / "der", "-out", paths[-1])
    return peers.Identity(domain, paths[0], None, paths[1:])
