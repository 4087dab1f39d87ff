"""Where another reader shows a trigger word, ours finds it: mails put together at random out of pieces that
parsers stumble over, read by Chromium (HTML) and by Python's email package (MIME). The other way round need not
hold: ours also reads what only some readers show.

REQ-32 REQ-33
"""
import base64
import email
import json
import random
import re
import subprocess

import pytest

import browser
from conftest import BUILD

HTML = ["[", "SEN", "SITIVE", "]", "[SENSITIVE]", "[SEN", "SITIVE]", "&#91;", "&lsqb;", "&#x5b", "&nbsp", "&amp;", "\n", " ", "/", "=", "!", "-",
        "--", "<b>", "</b>", "<!--", "-->", "--!>", "<!", "<!-", ">", "<?", "</", '"', "'", '<a title="', "<a x='", "<p", "<p>", "</p>", "<br/>",
        "<h1", "<i>", "<script>", "</script>", "<script", "</script", "<style>", "</style>", '<style x="', '</style x="', "<title>",
        "</title>", "</title ", "<textarea>", "</textarea>", "<xmp>", "</xmp>", "<iframe>", "</iframe>", "<noscript>", "</noscript>",
        "<noembed>", "</noembed>", "<noframes>", "</noframes>", "<select>", "<option>", "</select>", "<table>", "<td>", "</table>",
        "<svg>", "</svg>", "<svg/>", "<math>", "</math>", "<desc>", "<foreignObject>", "<mtext>", '<annotation-xml encoding="text/html">',
        "<![CDATA[", "]]>", "<!--[if mso]>", "<![endif]-->", "<body>", "</body>", "<html>", "</html>", "<head>", "<frameset>"]
B64 = base64.b64encode(b"These are [SENSITIVE] figures.\r\n").decode()
MIME = ["--b", "--b", "--b--", "--c", "--c--", "--b ", "--bb", "--a", "", "", "", "x", " folded", " \t", "not a field", ">From x",
        "MIME-Version: 1.0", "Subject: [SENSITIVE]", "Content-Type: text/plain", "Content-Type: text/html", "Content-Type : text/html",
        "Content-Type: text/plain; charset=utf-16", "Content-Type: multipart/mixed; boundary=c", 'Content-Type: multipart/alternative; boundary="b"',
        "Content-Type: multipart/digest; boundary=a", "Content-Type: multipart/mixed", "Content-Type: message/rfc822",
        "Content-Type: application/octet-stream", "Content-Type: image/png", "Content-Disposition: attachment", "Content-Disposition: inline",
        "Content-Transfer-Encoding: base64", "content-transfer-encoding:base64", "Content-Transfer-Encoding: quoted-printable",
        "Content-Transfer-Encoding: 7bit"]
MIME_WORDS = [B64, "=5BSENSI=\r\nTIVE]", "[SENSITIVE]", "[SEN<b>SITIVE</b>]",
              base64.b64encode("[SENSITIVE]".encode("utf-16")).decode()]
HEADS = ["MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n", "Content-Type: message/rfc822\r\n", "",
         "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Type: multipart/mixed; boundary=c\r\n"]


def ours(mails, folder):
    """For each mail: does it hold [SENSITIVE]?"""
    paths = []
    for i, mail in enumerate(mails):
        paths.append(folder / str(i))
        paths[-1].write_bytes(mail)
    out = subprocess.run([BUILD / "tests/trigger-probe"], input="".join(f"{p}\n" for p in paths), text=True,
                         stdout=subprocess.PIPE, check=True).stdout.splitlines()
    assert len(out) == len(mails)
    return ["SENSITIVE" in line for line in out]


def shown(text):
    return "[SENSITIVE]" in re.sub(r"[\s\0\u00a0]", "", text)


def compare(mails, theirs, folder):
    found = ours(mails, folder)
    assert [mail for mail, we, they in zip(mails, found, theirs) if they and not we] == []
    assert sum(theirs) > len(mails) / 5  # it was a test


def test_html_as_a_browser_reads_it(tmp_path):
    """REQ-33: the text that Chromium finds, scripts and style sheets aside."""
    rng = random.Random(1)
    pages = []
    for _ in range(3000):
        pieces = [rng.choice(HTML) for _ in range(rng.randint(3, 14))]
        at = rng.randint(0, len(pieces))
        pieces[at:at] = rng.choice((["[SENSITIVE]"], ["[SEN", "SITIVE]"]))
        pages.append("<html><body>" * rng.randint(0, 1) + "".join(pieces))
    page = ("<!doctype html><body><script>const pages = " + json.dumps(pages).replace("<", "\\u003c") + """;
        function text(node) {
            let all = '';
            for (const n of node.childNodes) {
                if (n.nodeType == 3 || n.nodeType == 4) all += n.data;
                const html = n.namespaceURI == 'http://www.w3.org/1999/xhtml';
                if (n.nodeType == 1 && !(html && (n.localName == 'script' || n.localName == 'style'))) all += text(n);
            }
            return all;
        }
        const texts = pages.map(p => text(new DOMParser().parseFromString(p, 'text/html')));
        document.body.textContent = '@@' + btoa(unescape(encodeURIComponent(JSON.stringify(texts)))) + '@@';</script>""")
    texts = json.loads(base64.b64decode(browser.Visit(page, {}).dom.split("@@")[1]))
    mails = [b"Content-Type: text/html; charset=utf-8\r\n\r\n" + page.encode() for page in pages]
    compare(mails, [shown(text) for text in texts], tmp_path)


def seen_by_email(mail):
    for part in email.message_from_bytes(mail).walk():
        if any(shown(str(value)) for value in part.get_all("Subject", [])):
            return True
        if part.get_content_maintype() != "text" or part.get_content_disposition() == "attachment" or part.is_multipart():
            continue
        octets = part.get_payload(decode=True) or b""
        try:
            text = octets.decode(part.get_content_charset() or "latin-1", "replace")
        except LookupError:
            text = octets.decode("latin-1")
        if shown(re.sub(r"<[^>]*>", "", text) if part.get_content_type() == "text/html" else text):
            return True
    return False


@pytest.mark.parametrize("seed", (1, 2))
def test_mime_as_another_parser_reads_it(tmp_path, seed):
    """REQ-33: the structure that Python's email package sees in what is none."""
    rng = random.Random(seed)
    mails = []
    for _ in range(4000):
        lines = [rng.choice(MIME) for _ in range(rng.randint(3, 22))]
        for _ in range(rng.randint(1, 2)):
            lines.insert(rng.randint(0, len(lines)), rng.choice(MIME_WORDS))
        mail = "From: joe@agency-a.test\r\n" + rng.choice(HEADS) + "\r\n" + "\r\n".join(lines) + "\r\n"
        mails.append(mail.replace("\r\n", rng.choice(("\r\n", "\r\n", "\n"))).encode())
    compare(mails, [seen_by_email(mail) for mail in mails], tmp_path)
