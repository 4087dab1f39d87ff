"""tools/quickstart: a private Sealgate with two organisations, and a mail between them.

The organisations are ordered as a billing system does it: one call each; their domains are proved by the
DNS, their certificates come from the CA over EST. The mail is a real one: agency A's server hands it in at Postfix "out", agency B's server gets it
from gatewayd. In between it is sealed; a tap in the wire between the Postfix instances shows how."""
import argparse
import os
import sys
import time

from . import layout as lay
from .mailserver import Mail, MailServer
from .platform import Platform
from .process import NotReady, wait_for
from .provision import authority
from .submit import queue_id, submit
from .wire import leaks, sealed_payload
from .wiretap import WireTap

STARTED = float(os.environ.get("SEALGATE_STARTED", time.time()))
SOURCES = {"agency-a.test": "127.0.0.101", "agency-b.test": "127.0.0.102"}
BODY_TEXT = """\
Kia ora Bob,

the minister's programme for Thursday is attached. Not to leave our two agencies.

Ng\u0101 mihi,
Alice
"""


def say(text):
    print(f"{time.time() - STARTED:5.1f} s: {text}", flush=True)


def mail(marker):
    from email.message import EmailMessage
    from email.policy import SMTP
    m = EmailMessage(policy=SMTP)
    m["From"] = "Alice <alice@agency-a.test>"
    m["To"] = "Bob <bob@agency-b.test>"
    m["Subject"] = "Programme for Thursday"
    m["Message-ID"] = f"<{marker}@agency-a.test>"
    m["Date"] = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
    m.set_content(BODY_TEXT + f"\n{marker}\n", cte="8bit")
    m.add_attachment(f"09:00 powhiri {marker}\r\n11:30 select committee\r\n".encode() * 40,
                     maintype="application", subtype="octet-stream", filename="programme.dat")
    return bytes(m)


def show(title, raw, lines):
    print(f"\n--- {title} ---")
    shown = raw.decode("utf-8", "replace").splitlines()
    for line in shown[:lines]:
        print("    " + line[:110])
    if len(shown) > lines:
        print(f"    … {len(shown) - lines} lines more")


def shorten(value):
    text = str(value)
    return text if len(text) <= 100 else text[:97] + "…"


def show_trace(organisation, message):
    print(f"\n--- trace of {message['id']}: {organisation.domain_name}, {message['direction']} ---")
    for event in organisation.trace(message["id"]):
        detail = " ".join(f"{name}={shorten(value)}" for name, value in event["detail"].items())
        print(f"    {event['at'][11:23]} {event['step']:<24} {event['requirement']:<8} {detail}")
    for recipient in message["recipients"]:
        print(f"    → {recipient['recipient']}: {recipient['outcome']}, {recipient['verdict']}")


def demonstrate(platform, a, b, tap):
    marker = f"quickstart-{time.time_ns()}"
    sent = mail(marker)
    reply = submit(platform.port["postfix_out"], "alice@agency-a.test", ["bob@agency-b.test"],
                   sent, SOURCES["agency-a.test"])
    say(f"mail handed in at Postfix out, queue id {queue_id(reply)}")
    inbox = MailServer(platform.port["agency_b"], platform.layout.mail / "agency_b")

    def delivered():
        for path in sorted(inbox.folder.glob("*.json")):
            found = inbox._read(path)
            if marker.encode() in found.head:
                return found
        return None

    try:
        got: Mail = wait_for(delivered, 60, "delivery to agency B", 0.05)
    except NotReady as error:
        waiting = {part.name: part.queue() for part in (platform.postfix_out, platform.postfix_in)}
        raise NotReady(f"{error}\nqueues: {waiting}\n{platform.gatewayd.tail(30)}") from None
    say("mail delivered to agency B's server")
    _, wire = tap.wait(1, 5, lambda recipients, raw: "bob@agency-b.test" in recipients
                       and marker.encode() in raw)[0]

    body = sent.partition(b"\r\n\r\n")[2]
    der = sealed_payload(wire)
    show("sent by agency A", sent, 22)
    show("on the wire between Postfix out and Postfix in", wire, 26)
    show("delivered to agency B's server", got.raw, 30)
    leaked = leaks(body, wire)
    print()
    checks = [
        ("the wire carries application/pkcs7-mime", True),
        (f"no line of the body can be read in it ({len(wire)} octets, {len(der)} of them CMS)",
         not leaked),
        ("the delivered body equals the sent one byte for byte", got.body == body),
        ("the delivered mail says that it was verified",
         b"x-sealgate-verdict: verified" in got.head.lower()),
    ]
    for text, good in checks:
        print(f"  {'yes' if good else 'NO '}  {text}")

    def traced():
        found = [(o, m) for o, direction in ((a, "outbound"), (b, "inbound"))
                 for m in o.messages(message_id=f"{marker}@agency-a.test", direction=direction)
                 if all(r["outcome"] == "delivered" for r in m["recipients"])]
        return found if len(found) == 2 else None

    for organisation, message in wait_for(traced, 15, "retention log", 0.1):
        show_trace(organisation, message)
    return all(good for _, good in checks)


def up(args):
    platform = Platform(args.dir, args.port_base, tap=True, agencies=True, dns=True, say=say)
    platform.layout.check()
    # Stopped first where it runs, so that none of its processes knows the way past the tap.
    platform.postfix_out.stop()
    with WireTap(platform.port["wiretap"], platform.port["postfix_in"], to_host=lay.PEER_HOST) as tap:
        platform.up()
        authority(platform, is_default=True)
        a, b = (platform.organisation(
            f"Agency {letter}", domain, network=f"{SOURCES[domain]}/32",
            next_hop_port=platform.port[f"agency_{letter.lower()}"]).order(say)
            for letter, domain in (("A", "agency-a.test"), ("B", "agency-b.test")))
        good = demonstrate(platform, a, b, tap)
    platform.postfix_out.restart(peer_port=platform.port["postfix_in"])
    say("all is up, the tap is gone" if good else "all is up, but see above")
    token = platform.layout.secrets / "provider-admin.token"
    print(f"""
API      {platform.api.url}/v1/   token in {token}
mail     submit at 127.0.0.1:{platform.port['postfix_out']} from {SOURCES['agency-a.test']} \
(agency-a.test) or {SOURCES['agency-b.test']} (agency-b.test)
inboxes  {platform.layout.mail}/agency_a, agency_b, outside
logs     {platform.layout.log}   ports: {platform.layout.etc}/ports

Next:
  export SEALGATE_URL={platform.api.url} SEALGATE_TOKEN_FILE={token}
  {platform.layout.bin}/gwctl --help
  curl -s -H "Authorization: Bearer $(cat $SEALGATE_TOKEN_FILE)" $SEALGATE_URL{a.path}/messages
  tools/quickstart{'' if args.dir == lay.DIR else ' --dir ' + args.dir} --down
""")
    return 0 if good else 1


def down(args):
    if lay.ports_of(args.dir) is None:
        raise lay.SetupError(f"{args.dir}: no Sealgate there")
    platform = Platform(args.dir, agencies=True, dns=True)
    running = platform.running()
    killed = platform.down()
    left = platform.strays()
    say(f"stopped: {', '.join(running) or 'nothing ran'}")
    if killed:
        say(f"had to be killed: {', '.join(killed)}")
    if left:
        raise NotReady(f"still there: {left}")
    return 0


def main():
    parser = argparse.ArgumentParser(
        prog="tools/quickstart",
        description="A complete private Sealgate with two organisations, and a sealed mail from "
                    "one to the other. Again: carries on with what is there.")
    parser.add_argument("--dir", default=lay.DIR, help=f"everything is in there ({lay.DIR})")
    parser.add_argument("--port-base", type=int, default=None,
                        help=f"first of {len(lay.PORTS)} ports on 127.0.0.1 ({lay.PORT_BASE})")
    parser.add_argument("--down", action="store_true", help="stop what runs in --dir")
    args = parser.parse_args()
    if args.port_base is not None and not 1024 <= args.port_base <= 65000:
        parser.error("--port-base: 1024 to 65000")
    try:
        return down(args) if args.down else up(args)
    except lay.SetupError as error:
        print(f"quickstart: {error}", file=sys.stderr)
        return 2
    except (NotReady, OSError, ValueError) as error:
        print(f"quickstart: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
