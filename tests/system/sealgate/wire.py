"""What may be seen on the wire."""
import base64
import binascii
import email
from email import policy


def sealed_payload(raw):
    """The CMS object of a sealed message in DER; ValueError where it is none."""
    message = email.message_from_bytes(raw, policy=policy.default)
    kind = message.get_content_type()
    if kind not in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
        raise ValueError(f"not sealed: {kind}")
    return message.get_payload(decode=True)


def leaks(body, raw):
    """Lines of the body that can be read behind the header of a message as it travelled: as they
    are, in its base64, or as base64 of their own. Lines of fewer than four octets say nothing and
    are left out; so is the header, for the original's fields stay readable in it."""
    places = [raw.partition(b"\r\n\r\n")[2]]
    try:
        places.append(sealed_payload(raw))
    except ValueError:
        pass
    found = []
    for line in body.split(b"\r\n"):
        line = line.strip()
        if len(line) < 4:
            continue
        forms = [line]
        if len(line) >= 12:
            # The same octets in base64 look one of three ways, by where they begin.
            for shift in range(3):
                inner = base64.b64encode(b"\0" * shift + line)
                forms.append(inner[4:-4] if shift else inner[:-4])
            try:
                forms.append(base64.b64decode(line, validate=True))
            except binascii.Error:
                pass
        if any(form in place for form in forms if len(form) >= 4 for place in places):
            found.append(line)
    return found
