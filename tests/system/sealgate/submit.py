"""Handing in mail at Postfix "out", as a customer's server does."""
import smtplib
import ssl


def submit(port, sender, recipients, message, source="127.0.0.1", certificate=None, options=(),
           recipient_options=(), host="127.0.0.1"):
    """Sends message (bytes with CRLF line ends) from the address source; certificate: (PEM file,
    key file) to show by STARTTLS. The server's last reply, with the queue id; {} of refused
    recipients is in the exceptions of smtplib."""
    with smtplib.SMTP(host, port, "client.test", timeout=60, source_address=(source, 0)) as smtp:
        if certificate:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.load_cert_chain(*certificate)
            smtp.starttls(context=context)
        smtp.ehlo()
        options = list(options)
        if any(byte > 127 for byte in message) and "BODY=8BITMIME" not in options:
            options.append("BODY=8BITMIME")
        addresses = [sender, *recipients]
        if any(not address.isascii() for address in addresses):
            options.append("SMTPUTF8")
            smtp.command_encoding = "utf-8"
        code, text = smtp.mail(sender, options)
        if code != 250:
            raise smtplib.SMTPSenderRefused(code, text, sender)
        refused = {}
        for recipient in recipients:
            code, text = smtp.rcpt(recipient, recipient_options)
            if code // 100 != 2:
                refused[recipient] = (code, text)
        if len(refused) == len(recipients):
            raise smtplib.SMTPRecipientsRefused(refused)
        code, text = smtp.data(message)
        if code != 250:
            raise smtplib.SMTPDataError(code, text)
        return text.decode("utf-8", "replace")


def queue_id(reply):
    """Of "2.0.0 Ok: queued as 4jYM…"."""
    return reply.rpartition("queued as ")[2].strip()
