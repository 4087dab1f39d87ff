"""The command line of refca."""
import argparse
import contextlib
import datetime as dt
import io
import json
import sqlite3
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from . import (RefcaError, authority, cli_est, clock, directory, est_server, lists, rules, server)
from .cli_est import read_input
from .store import Store, write_file


def iso_time(text: str) -> dt.datetime:
    """UTC unless it says otherwise; the library wants naive UTC."""
    try:
        time = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"not an ISO 8601 time: {text}") from None
    if time.tzinfo:
        time = time.astimezone(dt.timezone.utc).replace(tzinfo=None)
    return time.replace(microsecond=0)


def sibling(url: str, name: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rpartition("/")[0] + "/" + name, query=""))


def init(args) -> None:
    http = [url for url in args.crl_url if url.startswith(("http://", "https://"))]
    ca_file = "root.cer" if args.root_only else "issuing.cer"
    store = Store.create(args.dir)
    try:
        authority.create(store, args.name, args.crl_url + args.ldap_url,
                         [sibling(url, "root.crl") for url in http],
                         sibling(http[0], ca_file) if http else None,
                         authority.private_keys(args.keys, args.bits), args.root_only, args.not_before)
        with store.change():
            store.set_setting("crl_hours", args.crl_hours)
        authority.write_crls(store)
    except BaseException:
        (args.dir / "ca.db").unlink()  # so that init can be tried again
        raise


def issue(args) -> None:
    pem = authority.issue(Store(args.dir), read_input(args.csr), args.domain, args.overlap,
                          args.not_before, args.not_after, args.days)
    if args.out:
        write_file(Path(args.out), pem.encode())
    else:
        sys.stdout.write(pem)


def revoke(args) -> None:
    store = Store(args.dir)
    row, changed = authority.revoke(store, args.certificate, args.reason, args.date)
    if not changed:
        raise RefcaError(f"{row['serial']} is revoked already ({row['reason']})")
    print(row["serial"])
    authority.write_crls(store)


def restore(args) -> None:
    store = Store(args.dir)
    print(authority.restore(store, args.certificate)["serial"])
    authority.write_crls(store)


def adopt(args) -> None:
    print(authority.adopt(Store(args.dir), read_input(args.certificate))["serial"])


def crl(args) -> None:
    authority.write_crls(Store(args.dir), args.this_update, args.next_update, args.hours,
                         args.number)


def serve(args) -> None:
    connect = None
    if args.ldap_url:
        if not args.bind_dn or not args.password_file:
            raise RefcaError("--ldap-url without --bind-dn and --password-file")
        connect = lambda: open_directory(args)  # noqa: E731
    if args.fault:
        print(f"refca: misbehaves on purpose whenever {args.fault} says so", file=sys.stderr)
    server.serve(args.dir, args.host, args.port, args.refresh, args.quiet, args.est_port,
                 est_server.options(args.est_approve == "manual", args.est_days,
                                    args.est_retry_after, args.est_request_seconds,
                                    args.est_connections, args.fault, args.quiet), connect)


def list_issued(args) -> None:
    for row in Store(args.dir).certificates():
        print(json.dumps({
            "serial": row["serial"], "domain": row["domain"], "reason": row["reason"],
            **{name: clock.iso(row[name])
               for name in ("not_before", "not_after", "revoked_at")}}))


def open_directory(args) -> directory.Directory:
    return directory.Directory(args.ldap_url, args.bind_dn, args.password_file, args.base,
                               args.ca_file)


def publish(args) -> None:
    store = Store(args.dir)
    with open_directory(args) as target:
        for domain, count in directory.publish(store, target, args.domain):
            print(f"{domain} {count}")


def unpublish(args) -> None:
    store = Store(args.dir)
    with open_directory(args) as target:
        for domain in args.domain:
            store.disown(rules.check_domain(domain))
            target.unpublish_domain(rules.check_domain(domain))


def list_change(args) -> None:
    domains = {rules.check_domain(name) for name in args.domain}
    if args.file:
        domains |= set(lists.domains_of_file(read_input(args.file).decode("utf-8", "replace")))
    if not domains and args.command != "list-set":
        raise RefcaError("no domain is named")
    if not domains and not args.empty:
        raise RefcaError("the list would be empty; if that is meant, say --empty")
    new = {"list-add": lambda members: members | domains,
           "list-remove": lambda members: members - domains,
           "list-set": lambda members: domains}[args.command]
    with open_directory(args) as target:
        version, added, removed = lists.change(target, args.list, new, args.version)
    print(f"{args.list} version {version}: {added} added, {removed} removed")


def list_show(args) -> None:
    with open_directory(args) as target:
        print(json.dumps(lists.show(target, lists.check_name(args.list))))


def batch(args) -> None:
    """Starting takes longer than most commands do."""
    before = ["--dir", str(args.dir)] + (["--clock-file", args.clock_file] if args.clock_file else [])
    lines, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO())  # no command's input
    for line in lines:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = main(before + json.loads(line))
            except SystemExit as end:  # argparse
                status = end.code
        print(json.dumps({"status": status, "out": out.getvalue(), "err": err.getvalue()}), flush=True)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="refca", description="Reference CA for tests and pilots.")
    top.add_argument("--dir", type=Path, required=True, help="directory of the CA")
    top.add_argument("--clock-file", metavar="FILE", help="for tests: a file with an offset in"
                     " seconds that is added to the time")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, function, text):
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(function=function)
        return sub

    sub = command("init", init, "Make a root and the CA below it.")
    sub.add_argument("--name", default="Reference CA")
    sub.add_argument("--crl-url", action="append", default=[], metavar="URL",
                     help="http address of ca.crl; root.crl and the certificates lie beside it")
    sub.add_argument("--ldap-url", action="append", default=[], metavar="URL",
                     help="ldap address of the CRL, RFC 4516, as a further distribution point")
    sub.add_argument("--root-only", action="store_true", help="the root issues itself")
    sub.add_argument("--bits", type=int, default=3072, choices=[2048, 3072, 4096])
    sub.add_argument("--keys", nargs="+", default=[], metavar="FILE",
                     help="private keys, PEM, for the root and the CA below it, instead of new ones")
    sub.add_argument("--crl-hours", type=int, default=7 * 24, help="until a CRL's nextUpdate")
    sub.add_argument("--not-before", type=iso_time, help="for tests")

    sub = command("issue", issue, "Certify a PKCS#10 request; prints the chain without the root.")
    sub.add_argument("csr", metavar="CSRFILE", help="PEM or DER; - is standard input")
    sub.add_argument("--out", metavar="FILE")
    sub.add_argument("--domain", help="needed where the request itself names none")
    sub.add_argument("--overlap", action="store_true",
                     help="beside a certificate that the domain has (a renewal)")
    sub.add_argument("--days", type=int)
    sub.add_argument("--not-before", type=iso_time, metavar="TIME")
    sub.add_argument("--not-after", type=iso_time, metavar="TIME")

    sub = command("revoke", revoke, "Revoke or suspend, and make a new CRL.")
    sub.add_argument("certificate", metavar="SERIAL|FILE")
    sub.add_argument("--reason", choices=authority.REASONS, default="unspecified")
    sub.add_argument("--date", type=iso_time, metavar="TIME")
    sub = command("restore", restore, "End a suspension, and make a new CRL.")
    sub.add_argument("certificate", metavar="SERIAL|FILE")

    command("adopt", adopt, "Enter a certificate of this CA that ca.db has lost; prints its number."
            ).add_argument("certificate", metavar="FILE")

    sub = command("crl", crl, "Make new CRLs: ca.crl and root.crl.")
    sub.add_argument("--hours", type=int, help="until nextUpdate")
    sub.add_argument("--number", type=int, metavar="N", help="after a backup was brought back:"
                     " beyond the last one that anybody has seen")
    sub.add_argument("--this-update", type=iso_time, metavar="TIME")
    sub.add_argument("--next-update", type=iso_time, metavar="TIME")

    sub = command("serve", serve, "Serve CRLs and CA certificates over HTTP, in the foreground.")
    sub.add_argument("--port", type=int, required=True)
    sub.add_argument("--host", default="127.0.0.1")
    sub.add_argument("--refresh", type=float, metavar="MINUTES", help="make new CRLs that often")
    sub.add_argument("--quiet", action="store_true", help="no line for each request")

    cli_est.serve_arguments(sub)

    command("list", list_issued, "Print what was issued, a JSON object a line.")
    cli_est.commands(command)

    command("batch", batch, "Commands from standard input, a JSON array of arguments a line; answers each"
            " with a line of status, out and err.")

    for name, function, text in (
            ("publish", publish, "Bring the directory to what the CA has: certificates and CRL."),
            ("unpublish", unpublish, "Take domains out of the directory."),
            ("list-add", list_change, "Add domains to a list such as SEEMAIL2."),
            ("list-remove", list_change, "Take domains off a list."),
            ("list-set", list_change, "Make a list just these domains."),
            ("list-show", list_show, "Print a list with its version, as JSON.")):
        sub = command(name, function, text)
        sub.add_argument("--ldap-url", required=True, help="ldap:// or ldaps:// and host:port")
        sub.add_argument("--bind-dn", required=True)
        sub.add_argument("--password-file", required=True)
        sub.add_argument("--base", default="c=NZ")
        sub.add_argument("--ca-file", help="PEM of the CA of an ldaps server")
        if function in (list_change, list_show):
            sub.add_argument("list", metavar="LIST", help="SEEMAIL2, SECUREMAIL1, WORKSPACE, …")
        if function is list_change:
            sub.add_argument("domain", nargs="*", metavar="DOMAIN")
            sub.add_argument("--file", help="with a domain a line; - is standard input")
            sub.add_argument("--version", type=int, metavar="N",
                             help="the list's version afterwards; one more unless given")
            sub.set_defaults(empty=True)
            if name == "list-set":
                sub.add_argument("--empty", action="store_true", help="the list may become empty")
                sub.set_defaults(empty=False)
        if function is publish:
            sub.add_argument("--domain", action="append", default=[], help="this one alone")
        if function is unpublish:
            sub.add_argument("domain", nargs="+", metavar="DOMAIN")
    return top


def main(arguments) -> int:
    args = parser().parse_args(arguments)
    clock.set_file(args.clock_file)
    try:
        args.function(args)
    except (RefcaError, OSError, sqlite3.Error) as error:
        print(f"refca: {error}", file=sys.stderr)
        return 2
    return 0
