"""Notices as they arrive, read by Python's own parser, and the outbox as it is in the database."""
import email
import email.policy
import json

from sealgate.process import wait_for
from setting import A

FIRST = {"delayed": "SECURE DELIVERY DELAYED \u2013 Your message could not be delivered securely. "
                    "The system will try again in {hours} hours. [Code: {codes}]",
         "failure": "SECURE DELIVERY FAILURE \u2013 Your message could not be delivered securely, "
                    "therefore, it was not sent. [Code: {codes}]",
         "unverified": "UNVERIFIED MESSAGE \u2013 The confidentiality, integrity and/or authenticity "
                       "of this message could not be verified. [Code: {codes}]",
         "waiting": "MESSAGE WAITING \u2013 Your message has not been delivered yet to the organisation "
                    "responsible for handling the addressee's messages. It is kept, sealed, and will "
                    "be tried again.",
         "certificate": "CERTIFICATE WARNING \u2013 A certificate of your domain is not trusted by this "
                        "gateway; a message was sent with another one.",
         "receipt": "DELIVERY RECEIPT \u2013 Your message has been successfully delivered to the "
                    "organisation responsible for handling the addressee's messages. This is not a "
                    "read receipt.",
         "non-delivery": "NON DELIVERY REPORT \u2013 Your message was NOT delivered to the "
                         "organisation responsible for handling the addressee's messages."}


class Notice:
    """A notice: .mail as the server got it, .message parsed, .text the human part, .blocks of the
    status (the message's first, then one a recipient)."""

    def __init__(self, mail):
        self.mail = mail
        self.message = email.message_from_bytes(mail.raw, policy=email.policy.default)
        parts = list(self.message.iter_parts()) if self.message.is_multipart() else [self.message]
        self.text = parts[0].get_content().replace("\r\n", "\n")
        self.blocks = []
        for part in parts[1:]:
            if part.get_content_type() == "message/delivery-status":
                self.blocks = [dict(block) for block in part.get_payload()]

    @property
    def first_line(self):
        return self.text.partition("\n")[0]

    @property
    def recipients(self):
        return [block["Final-Recipient"].partition(";")[2].strip() for block in self.blocks[1:]]

    def shown(self):
        """The indented fields of the original."""
        fields = [line.strip().partition(": ") for line in
                  self.text.partition("The message:\n")[2].partition("\n\n")[0].splitlines()]
        return {name: value for name, _, value in fields}


def is_notice(mail):
    return b"\r\nAuto-Submitted: auto-" in mail.head


def notices(server, kind, to=None, about=None, count=1, timeout=60):
    """Those of a kind at that server, once there are as many."""
    words = FIRST[kind].partition(" \u2013")[0].encode()

    def match(mail):
        return (is_notice(mail) and words in mail.raw
                and (to is None or mail.recipients == [to])
                and (about is None or f"Subject: {about}".encode() in mail.body))
    return [Notice(mail) for mail in server.wait(count, timeout, match)]


def rows(setting, sql):
    """Of the database, as objects."""
    return json.loads(setting.platform.postgresql.psql(
        f"SELECT coalesce(json_agg(r), '[]') FROM ({sql}) AS r"))


def settled(setting, timeout=60):
    """Nothing waits in the outbox but what is folded."""
    wait_for(lambda: rows(setting, "SELECT id FROM sealgate.notice WHERE state IN ('open', 'pending')")
             == [], timeout, "an empty outbox", 0.2)


def expire(setting):
    """Postfix gives up what waits; its report of it may wait."""
    postfix = setting.platform.postfix_in
    waiting = {entry["queue_id"] for entry in postfix.queue()}
    names = ("queue_lifetime", "queue_run_delay", "minimal_backoff_time", "maximal_backoff_time")
    usual = {name: postfix.values[name] for name in names}
    postfix.restart(**dict(zip(names, ("1s", "1s", "60s", "60s"))))
    try:
        # No flush: the report would be tried at once too, and expire.
        wait_for(lambda: not {entry["queue_id"] for entry in postfix.queue()} & waiting, 60, "the mail to expire")
    finally:
        postfix.restart(**usual)


def policy(setting, domain_path=None, **values):
    setting.platform.api.put(f"{domain_path or setting.a.domain_path}/policy", values)


def member(setting, name):
    """A participating agency without a certificate."""
    return setting.platform.api.post("/v1/member-domains", {"name": name, "environment": "seemail"})


SENDER = f"joe@{A}"
