"""The commands about enrolment over EST: its TLS, accounts, requests by hand, who revoked what."""
import json
import sys
from pathlib import Path

from . import RefcaError, accounts, authority, clock, est, rules, tls
from .store import Store


def read_input(name: str) -> bytes:
    """Of a file, or of standard input for "-"."""
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise RefcaError(f"{name}: {error.strerror}") from error


def est_init(args) -> None:
    tls.make(Store(args.dir), args.host or ["127.0.0.1", "localhost"],
             authority.private_keys(args.keys, args.bits))


def account_add(args) -> None:
    store = Store(args.dir)
    if not args.password_file and not args.certificate:
        raise RefcaError("an account has --password-file or --certificate, or both")
    credentials = read_credentials(args)
    accounts.add(store, args.name, domains_of(args))
    try:
        set_credentials(store, args.name, credentials, 0)
    except RefcaError:
        accounts.remove(store, args.name)
        raise


def account_set(args) -> None:
    store = Store(args.dir)
    accounts.existing(store, args.name)
    set_credentials(store, args.name, read_credentials(args), args.keep_hours)
    if args.domains:
        accounts.set_domains(store, args.name, domains_of(args))


def read_credentials(args):
    return (args.password_file and read_input(args.password_file).rstrip(b"\r\n"),
            args.certificate and read_input(args.certificate))


def set_credentials(store, name, credentials, keep_hours) -> None:
    password, certificate = credentials
    if password is not None:
        accounts.set_password(store, name, password, keep_hours)
    if certificate is not None:
        accounts.set_certificate(store, name, certificate, keep_hours)


def domains_of(args) -> list:
    return [part for text in args.domains for part in text.split(",") if part]


def account_remove(args) -> None:
    accounts.remove(Store(args.dir), args.name)


def account_list(args) -> None:
    for account in accounts.listing(Store(args.dir)):
        print(json.dumps(account))


def pending(args) -> None:
    for row in est.undecided(Store(args.dir)):
        csr, _ = rules.check_request(row["csr"], None)
        print(json.dumps({"id": row["id"], "kind": row["kind"], "domain": row["domain"],
                          "account": row["account"], "asked": clock.iso(row["created"]),
                          "key_sha256": authority.spki_sha256(csr.public_key())}))


def approve(args) -> None:
    store = Store(args.dir)
    for number in args.id:
        print(est.approve(store, number, args.days))


def refuse(args) -> None:
    est.refuse(Store(args.dir), args.id, args.reason)


def revocations(args) -> None:
    for row in authority.revocations(Store(args.dir)):
        print(json.dumps({"serial": row["serial"], "domain": row["domain"],
                          "reason": row["reason"], "account": row["account"],
                          "at": clock.iso(row["at"])}))


def serve_arguments(sub) -> None:
    sub.add_argument("--est-port", type=int, help="enrolment over HTTPS (RFC 7030), after est-init")
    sub.add_argument("--est-approve", choices=["auto", "manual"], default="auto",
                     help="manual: requests wait for `refca approve`")
    sub.add_argument("--est-retry-after", type=int, default=60, metavar="SECONDS",
                     help="what a client is told whose request waits")
    sub.add_argument("--est-days", type=int, metavar="DAYS", help="life of certificates by EST")
    sub.add_argument("--est-request-seconds", type=float, default=15, metavar="SECONDS",
                     help="a client that takes longer to say what it wants is cut off")
    sub.add_argument("--est-connections", type=int, default=200, metavar="N",
                     help="at a time; further ones are closed")
    sub.add_argument("--fault", metavar="FILE",
                     help="for tests: misbehave as this file says, see README.md")
    sub.add_argument("--ldap-url", help="publish to this directory whatever changes")
    sub.add_argument("--bind-dn")
    sub.add_argument("--password-file")
    sub.add_argument("--base", default="c=NZ")
    sub.add_argument("--ca-file", help="PEM of the CA of an ldaps server")


def commands(command) -> None:
    sub = command("est-init", est_init, "Make est-ca.pem, which EST clients trust, and est.pem.")
    sub.add_argument("--host", action="append", metavar="NAME|ADDRESS",
                     help="that clients connect to; 127.0.0.1 and localhost unless given")
    sub.add_argument("--bits", type=int, default=2048, choices=[2048, 3072, 4096])
    sub.add_argument("--keys", nargs="+", default=[], metavar="FILE",
                     help="private keys, PEM, for the CA of servers, where there is none yet, and the server")

    for name, function, text in (
            ("account-add", account_add, "Make an account that may enrol and revoke over EST."),
            ("account-set", account_set, "Change an account's password, certificate or domains.")):
        sub = command(name, function, text)
        sub.add_argument("name")
        sub.add_argument("--password-file", metavar="FILE", help="- is standard input")
        sub.add_argument("--certificate", metavar="FILE",
                         help="PEM of its TLS client certificate, whoever issued it")
        sub.add_argument("--domains", action="append", default=[], metavar="DOMAIN[,…]",
                         help="a.test, *.a.test or *; of a new account * unless given")
        if function is account_set:
            sub.add_argument("--keep-hours", type=float, default=0, metavar="HOURS",
                             help="the old password or certificate is good for that long still")
    command("account-remove", account_remove, "Remove an account; what it got stays valid."
            ).add_argument("name")
    command("account-list", account_list, "Print accounts, a JSON object a line.")

    command("revocations", revocations, "Print what was revoked and who asked, JSON lines.")
    command("pending", pending, "Print requests that wait for approval, JSON lines.")
    sub = command("approve", approve, "Certify what waits; the client's next poll gets it.")
    sub.add_argument("id", type=int, nargs="+", metavar="ID")
    sub.add_argument("--days", type=int)
    sub = command("refuse", refuse, "Refuse what waits; the client is told why.")
    sub.add_argument("id", type=int, metavar="ID")
    sub.add_argument("--reason", required=True, metavar="WORDS")
