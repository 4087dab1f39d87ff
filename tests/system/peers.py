"""Other people's S/MIME software, each in a private home, behind one face.

    with tempfile.TemporaryDirectory() as folder:
        pki = Pki(folder)                          # a root of its own; pki.issue("alice") → Identity
        peer = GpgSm(folder, pki.root)             # or OpenSsl, CmsUtil, CertTool; peer.close() in the end
        peer.own(identity)                         # certificate and key that it signs and decrypts with
        peer.partner(other)                        # certificate that it encrypts to
        entity = peer.encrypt(peer.sign(b"Content-Type: …\r\n\r\n…", "sha256"), other, "aes256-cbc")
        content = peer.verify(peer.decrypt(entity))  # PeerError where the software says no

All entities are bytes: header fields, empty line, body. What a tool has not is in its `gaps`.
"""
import base64
import email
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from sealgate import keypool


class PeerError(Exception):
    """The software refused, or failed."""


class Identity:
    """A certificate with its key, as files; root and intermediate certificates have their own."""

    def __init__(self, name, certificate, key, chain=()):
        self.name, self.certificate, self.key, self.chain = name, certificate, key, list(chain)

    def pkcs12(self, path, passphrase):
        """For tools that import nothing else; with algorithms that all of them read."""
        extra = []
        if self.chain:
            bundle = pathlib.Path(f"{path}.chain")
            bundle.write_bytes(b"".join(pathlib.Path(c).read_bytes() for c in self.chain))
            extra = ["-certfile", bundle]
        run("openssl", "pkcs12", "-export", "-in", self.certificate, "-inkey", self.key, "-name", self.name,
            "-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1",
            "-passout", f"pass:{passphrase}", "-out", path, *extra)


RSA_PSS = ("rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048")
P256 = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
P384 = ("ec", "-pkeyopt", "ec_paramgen_curve:P-384")


class Pki:
    """A root and certificates below it, made by the openssl command."""

    def __init__(self, folder):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pki-", dir=folder))
        self.serial = 0
        self.root = self.folder / "root.pem"
        run("openssl", "req", "-x509", *keypool.request(self.folder / "root.key"), "-out", self.root, "-days", "30", "-subj", "/C=NZ/O=Test/CN=Test Root",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, name, address=None, key=("rsa:2048",)):
        """key: as the openssl command takes it for -newkey; see RSA_PSS, P256, P384."""
        self.serial += 1
        use = {"ec": "digitalSignature,keyAgreement", "rsa-pss": "digitalSignature"}.get(
            key[0], "digitalSignature,keyEncipherment")
        base = self.folder / name
        (self.folder / "ext").write_text(
            f"basicConstraints=CA:FALSE\nkeyUsage=critical,{use}\n"
            "extendedKeyUsage=emailProtection\nsubjectKeyIdentifier=hash\n"
            f"authorityKeyIdentifier=keyid\nsubjectAltName=email:{address or name + '@peer.test'}\n")
        run("openssl", "req", *keypool.request(f"{base}.key", *key), "-out", f"{base}.csr", "-subj", f"/C=NZ/O=Test/CN={name}")
        run("openssl", "x509", "-req", "-in", f"{base}.csr", "-CA", self.root, "-CAkey",
            self.folder / "root.key", "-set_serial", self.serial, "-days", "30",
            "-extfile", self.folder / "ext", "-out", f"{base}.pem")
        return Identity(name, f"{base}.pem", f"{base}.key")


def run(*command, stdin=b"", env=None):
    """Runs to the end; PeerError with what it said where the status is not 0."""
    command = [str(c) for c in command]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60,
                          env={**os.environ, **(env or {})})
    if done.returncode != 0:
        raise PeerError(f"{' '.join(command)}: {done.stderr.decode('utf-8', 'replace').strip()}")
    return done.stdout


def split_entity(entity):
    """Header fields (an email.message.Message) and the body's octets."""
    head, _, body = entity.partition(b"\r\n\r\n")
    return email.message_from_bytes(head + b"\r\n\r\n"), body


def cms_of(entity):
    """The CMS object of an application/pkcs7-mime entity, in DER or BER."""
    head, body = split_entity(entity)
    encoding = (head["Content-Transfer-Encoding"] or "7bit").strip().lower()
    return base64.b64decode(body) if encoding == "base64" else body


def cms_entity(cms, smime_type):
    """An application/pkcs7-mime entity around a CMS object."""
    return (f"Content-Type: application/pkcs7-mime; smime-type={smime_type}; name=smime.p7m\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n").encode() + _lines(cms)


def split_signed(entity):
    """Of a multipart/signed: the octets that were signed, and the signature in DER."""
    head, body = split_entity(entity)
    boundary = re.escape(b"--" + head.get_boundary().encode())
    parts = re.split(rb"(?:\A|\r\n)" + boundary + rb"(?:--)?[ \t]*(?=\r\n|\Z)", b"\r\n" + body)
    if len(parts) != 4:
        raise PeerError(f"not a multipart/signed of two parts: {len(parts) - 2}")
    return parts[1][2:], cms_of(parts[2][2:] + b"\r\n")


def signed_entity(entity, signature, digest):
    """A multipart/signed of an entity and its detached signature."""
    boundary = b"peer-" + os.urandom(12).hex().encode()
    micalg = {"sha1": "sha-1", "md5": "md5"}.get(digest, digest.replace("sha", "sha-"))
    return (b'Content-Type: multipart/signed; protocol="application/pkcs7-signature";\r\n'
            b'\tmicalg=' + micalg.encode() + b'; boundary="' + boundary + b'"\r\n\r\n--' + boundary
            + b"\r\n" + entity + b"\r\n--" + boundary
            + b"\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n"
              b"Content-Transfer-Encoding: base64\r\n\r\n" + _lines(signature) + b"--" + boundary
            + b"--\r\n")


def _lines(data):
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


class _Peer:
    """What the drivers share: a home and temporary files in it."""

    name = ""
    ciphers = ()  # that it can be told to encrypt with; "default" where it takes no option
    digests = ()
    gaps = ()

    def __init__(self, folder, root):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.name.split()[0]}-", dir=folder))
        self.home.chmod(0o700)
        self.root = pathlib.Path(root)
        self.identity = None

    def close(self):
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def own(self, identity):
        self.identity = identity

    def partner(self, identity):
        pass

    def _file(self, data):
        handle, path = tempfile.mkstemp(dir=self.home)
        os.write(handle, data)
        os.close(handle)
        return path


class OpenSsl(_Peer):
    """openssl cms, which also parses and writes the MIME around it."""

    name = "openssl cms"
    ciphers = ("aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc", "aes128-gcm", "aes256-gcm")
    digests = ("sha1", "sha256", "sha384", "sha512")
    gaps = ("compressed-data is not in Debian's build",)
    _options = {"aes128-cbc": "-aes-128-cbc", "aes192-cbc": "-aes-192-cbc", "aes256-cbc": "-aes-256-cbc",
                "3des-cbc": "-des3", "aes128-gcm": "-aes-128-gcm", "aes256-gcm": "-aes-256-gcm"}

    def sign(self, entity, digest="sha256", opaque=False, options=()):
        return run("openssl", "cms", "-sign", "-binary", "-signer", self.identity.certificate,
                   "-inkey", self.identity.key, "-md", digest, "-in", self._file(entity),
                   *(["-nodetach"] if opaque else []), *options)

    def encrypt(self, entity, to, cipher, options=(), recipients=None, more=()):
        """recipients: instead of "to", as -recip and -keyopt take them."""
        return run("openssl", "cms", "-encrypt", "-binary", self._options[cipher], *options,
                   "-in", self._file(entity),
                   *(recipients or [identity.certificate for identity in (*more, to)]))

    def decrypt(self, entity):
        return run("openssl", "cms", "-decrypt", "-in", self._file(entity),
                   "-recip", self.identity.certificate, "-inkey", self.identity.key)

    def verify(self, entity):
        # Not -binary: with it, OpenSSL 3.0 counts the line end before a boundary to the content.
        return run("openssl", "cms", "-verify", "-in", self._file(entity), "-CAfile", self.root)


class CmsUtil(_Peer):
    """NSS's cmsutil: what Thunderbird does, without its MIME."""

    name = "NSS cmsutil"
    ciphers = ("default",)
    digests = ("sha1", "sha256", "sha384", "sha512")
    gaps = ("-E takes no cipher option: it writes AES-128-CBC, to certificates without known capabilities",
            "reads no AES-GCM (AuthEnvelopedData), no RSA-OAEP", "cannot sign with RSA-PSS",
            "no key agreement (ECDH): reads no message that has such a recipient beside its own, encrypts to none")

    def __init__(self, folder, root):
        super().__init__(folder, root)
        self.db = f"sql:{self.home}"
        run("certutil", "-N", "-d", self.db, "--empty-password")
        run("certutil", "-A", "-d", self.db, "-n", "root", "-t", "CT,C,C", "-i", self.root)

    def own(self, identity):
        super().own(identity)
        for chain in identity.chain:
            run("certutil", "-A", "-d", self.db, "-n", f"chain-{os.urandom(4).hex()}", "-t", ",,",
                "-i", chain)
        path = self.home / "own.p12"
        identity.pkcs12(path, "x")
        run("pk12util", "-i", path, "-d", self.db, "-W", "x", "-K", "")

    def partner(self, identity):
        for chain in identity.chain:
            run("certutil", "-A", "-d", self.db, "-n", f"chain-{os.urandom(4).hex()}", "-t", ",,",
                "-i", chain)
        run("certutil", "-A", "-d", self.db, "-n", identity.name, "-t", ",,", "-i", identity.certificate)

    def _cms(self, *options):
        out = self._file(b"")
        run("cmsutil", *options, "-d", self.db, "-o", out)
        return pathlib.Path(out).read_bytes()

    def sign(self, entity, digest="sha256", opaque=False):
        cms = self._cms("-S", "-N", self.identity.name, "-H", digest.upper(), "-G", "-P",
                        *([] if opaque else ["-T"]), "-i", self._file(entity))
        return cms_entity(cms, "signed-data") if opaque else signed_entity(entity, cms, digest)

    def encrypt(self, entity, to, cipher="default", more=()):
        if cipher != "default":
            raise PeerError("cmsutil takes no cipher option")
        names = [option for identity in (*more, to) for option in ("-r", identity.name)]
        return cms_entity(self._cms("-E", *names, "-i", self._file(entity)), "enveloped-data")

    def decrypt(self, entity):
        return self._cms("-D", "-i", self._file(cms_of(entity)))

    def verify(self, entity):
        head, _ = split_entity(entity)
        if head.get_content_type() != "multipart/signed":
            return self._cms("-D", "-u", "4", "-i", self._file(cms_of(entity)))
        content, signature = split_signed(entity)
        self._cms("-D", "-u", "4", "-c", self._file(content), "-n", "-i", self._file(signature))
        return content


class GpgSm(_Peer):
    """GnuPG's gpgsm, without its MIME."""

    name = "gpgsm"
    ciphers = ("aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc")
    digests = ("sha1", "sha256", "sha384", "sha512")
    gaps = ("reads no AES-GCM (AuthEnvelopedData), no RSA-OAEP", "knows no recipient by subject key identifier",
            "cannot sign with RSA-PSS", "2.2 imports no key on a curve from PKCS #12 (it crashes)",
            "no key agreement (ECDH): encrypts to no key on a curve")
    _options = {"aes128-cbc": "AES", "aes192-cbc": "AES192", "aes256-cbc": "AES256", "3des-cbc": "3DES"}

    def __init__(self, folder, root):
        super().__init__(folder, root)
        # An agent's sockets lie in its home, and their paths must be short.
        shutil.rmtree(self.home)
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="gpgsm-", dir="/tmp"))
        (self.home / "gpg-agent.conf").write_text("allow-loopback-pinentry\n")
        (self.home / "gpgsm.conf").write_text(
            "disable-crl-checks\ndisable-dirmngr\ndisable-policy-checks\n")
        self.env = {"GNUPGHOME": str(self.home)}
        fingerprint = run("openssl", "x509", "-in", self.root, "-noout", "-fingerprint", "-sha1")
        (self.home / "trustlist.txt").write_text(
            fingerprint.decode().strip().split("=")[1] + " S relax\n")
        self._gpgsm("--import", self.root)

    def close(self):
        subprocess.run(["gpgconf", "--kill", "all"], env={**os.environ, **self.env}, check=False,
                       capture_output=True)
        super().close()

    def _gpgsm(self, *options, stdin=b""):
        return run("gpgsm", "--batch", "--yes", "--no-tty", "--pinentry-mode", "loopback", *options,
                   stdin=stdin, env=self.env)

    def _import(self, *certificates):
        for certificate in certificates:
            self._gpgsm("--import", certificate)

    @staticmethod
    def _fingerprint(identity):
        out = run("openssl", "x509", "-in", identity.certificate, "-noout", "-fingerprint", "-sha1")
        return "0x" + out.decode().strip().split("=")[1].replace(":", "")

    def own(self, identity):
        super().own(identity)
        self._import(*identity.chain)
        path = self.home / "own.p12"
        # gpgsm 2.2.40 cannot decrypt one in thirty files of openssl's, always the same: with
        # another salt it can.
        for attempt in range(5):
            identity.pkcs12(path, "")
            try:
                self._gpgsm("--passphrase-fd", "0", "--import", path, stdin=b"\n")
                return
            except PeerError:
                if attempt == 4:
                    raise

    def partner(self, identity):
        self._import(*identity.chain, identity.certificate)

    def sign(self, entity, digest="sha256", opaque=False):
        cms = self._gpgsm("--passphrase-fd", "0", "--local-user", self._fingerprint(self.identity),
                          "--digest-algo", digest.upper(), "--output", "-",
                          "--sign" if opaque else "--detach-sign", self._file(entity), stdin=b"\n")
        return cms_entity(cms, "signed-data") if opaque else signed_entity(entity, cms, digest)

    def encrypt(self, entity, to, cipher, more=()):
        recipients = [option for identity in (*more, to)
                      for option in ("--recipient", self._fingerprint(identity))]
        cms = self._gpgsm("--cipher-algo", self._options[cipher], *recipients,
                          "--output", "-", "--encrypt", self._file(entity))
        return cms_entity(cms, "enveloped-data")

    def decrypt(self, entity):
        return self._gpgsm("--passphrase-fd", "0", "--output", "-", "--decrypt",
                           self._file(cms_of(entity)), stdin=b"\n")

    def verify(self, entity):
        head, _ = split_entity(entity)
        if head.get_content_type() != "multipart/signed":
            return self._gpgsm("--output", "-", "--verify", self._file(cms_of(entity)))
        content, signature = split_signed(entity)
        self._gpgsm("--verify", self._file(signature), self._file(content))
        return content


class CertTool(_Peer):
    """GnuTLS's certtool: signatures alone."""

    name = "certtool"
    digests = ("sha1", "sha256", "sha384", "sha512")
    gaps = ("--p7-* signs and verifies; it neither encrypts nor decrypts",
            "signs with RSA-PSS only where the key itself is of that type")

    def sign(self, entity, digest="sha256", opaque=False):
        cms = run("certtool", "--p7-sign" if opaque else "--p7-detached-sign", "--p7-time",
                  "--load-privkey", self.identity.key, "--load-certificate", self.identity.certificate,
                  "--hash", digest.upper(), "--outder", "--infile", self._file(entity))
        return cms_entity(cms, "signed-data") if opaque else signed_entity(entity, cms, digest)

    def verify(self, entity):
        head, _ = split_entity(entity)
        if head.get_content_type() != "multipart/signed":
            return run("certtool", "--p7-verify", "--p7-show-data", "--load-ca-certificate", self.root,
                       "--inder", "--infile", self._file(cms_of(entity)))
        content, signature = split_signed(entity)
        run("certtool", "--p7-verify", "--load-ca-certificate", self.root, "--inder", "--infile",
            self._file(signature), "--load-data", self._file(content))
        return content


PEERS = (OpenSsl, CmsUtil, GpgSm)
SIGNERS = (*PEERS, CertTool)
