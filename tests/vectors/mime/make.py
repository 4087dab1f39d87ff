#!/usr/bin/env python3
"""Makes the corpus of mails in which trigger words are looked for, with tools other than ours:
Python's email package and codecs, iconv, perl's Encode and MIME modules, openssl, gpg. What no tool
would make (broken on purpose) is written out by hand.

    make.py DIR     writes *.eml and table.tsv

table.tsv: file, words, what else, words with attachments; "-" for none. See README.md.
"""
import base64
import binascii
import email
import os
import pathlib
import subprocess
import sys
import tempfile
from email import policy
from email.header import Header
from email.message import EmailMessage, MIMEPart
from email.mime.base import MIMEBase
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

OUT = pathlib.Path(sys.argv[1])
SMTP = policy.SMTP.clone(max_line_length=78)
rows = []


def crlf(data):
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def put(name, data, words="-", what="-", attached=None):
    """words: what is to be found; attached: with the attachments too, where that is more."""
    (OUT / f"{name}.eml").write_bytes(data)
    rows.append((f"{name}.eml", words, what, attached or words))


def head(subject="Figures", extra=""):
    return ("From: Joe <joe@agency-a.test>\nTo: ann@outside.test\nDate: Sun, 29 Nov 2026 10:00:00 +1300\n"
            f"Message-ID: <1@agency-a.test>\nSubject: {subject}\nMIME-Version: 1.0\n{extra}").encode()


def raw(extra, body, subject="Figures"):
    """A message by hand: the header's MIME fields, and a body as it is (text gets CRLF)."""
    if isinstance(body, str):
        body = crlf(body.encode())
    return crlf(head(subject, extra)) + b"\r\n" + body


def message(subject="Figures"):
    m = EmailMessage(policy=SMTP)
    m["From"], m["To"], m["Subject"] = "Joe <joe@agency-a.test>", "ann@outside.test", subject
    m["Date"], m["Message-ID"] = "Sun, 29 Nov 2026 10:00:00 +1300", "<1@agency-a.test>"
    return m


def text(content, subject="Figures", **options):
    m = message(subject)
    m.set_content(content, **options)
    return m


def run(*command, data=b""):
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


def iconv(content, charset):
    return run("iconv", "-f", "UTF-8", "-t", charset, data=content.encode())


def perl(program, data):
    return run("perl", "-MEncode", "-MMIME::Base64", "-MMIME::QuotedPrint", "-e", program, data=data)


def multipart(subtype, *parts, **parameters):
    m = MIMEMultipart(subtype, boundary="=_b1", policy=SMTP, **parameters)
    m["From"], m["To"], m["Subject"] = "joe@agency-a.test", "ann@outside.test", "Figures"
    for part in parts:
        m.attach(part)
    return m


def part(content, subtype="plain", charset="us-ascii", disposition=None, name=None):
    p = MIMEText(content, subtype, charset)
    del p["MIME-Version"]
    if disposition:
        p.add_header("Content-Disposition", disposition, **({"filename": name} if name else {}))
    return p


def octets(m):
    return crlf(m.as_bytes(policy=SMTP))


# Plain ---------------------------------------------------------------------------------------------

WORDS = {"in-confidence": "IN-CONFIDENCE", "sensitive": "SENSITIVE", "restricted": "RESTRICTED",
         "confidential": "CONFIDENTIAL", "secret": "SECRET", "top-secret": "TOP SECRET", "rsvpdr": "RSVPDR"}
for name, word in WORDS.items():
    put(f"subject-{name}", octets(text("Nothing here.\n", f"[{word}] Figures")), word)
    put(f"body-{name}", octets(text(f"These are [{word}].\n")), word)
put("none", octets(text("[1] A footnote, and SECRET without brackets, (SECRET) and [notes].\n")))
put("lower-case", octets(text("[secret] [Sensitive] [In-Confidence] [SECREt]\n", "[restricted]")))
put("no-brackets", octets(text("SECRET, TOP SECRET, {SENSITIVE}, <RESTRICTED>, [SECRET, SECRET]\n", "RSVPDR")))
put("other-fields", crlf(head(extra="X-Marking: [SECRET]\nComments: [SENSITIVE]\n")) + b"\r\nNothing.\r\n")
put("two-words", octets(text("[SENSITIVE] and [RSVPDR]\n", "[SECRET]")), "SENSITIVE,SECRET,RSVPDR")
put("wrapped", octets(text("A long line that ends with the word [IN-\nCONFIDENCE] and [TOP\nSECRET] and [SEN\nSITIVE].\n")),
    "IN-CONFIDENCE,TOP SECRET,SENSITIVE")
put("wrapped-reply", octets(text("> > a reply that was wrapped [SEN\n> > SITIVE] again\n")), "SENSITIVE")
put("flowed", raw("Content-Type: text/plain; charset=utf-8; format=flowed; delsp=yes\n",
                  "It is [SENSI \nTIVE] as before.\n"), "SENSITIVE")
put("bare-lf", raw("Content-Type: text/plain\n", b"a\n[SEN\nSITIVE]\nb\n"), "SENSITIVE")
put("bare-cr", raw("Content-Type: text/plain\n", b"a\r[SEN\rSITIVE]\rb\r\n"), "SENSITIVE")
put("nul", raw("Content-Type: text/plain\n", b"a [SEN\0SITIVE] b\r\n"), "SENSITIVE")
put("no-mime", crlf(b"From: joe@agency-a.test\nSubject: Figures\n\n[SENSITIVE]\n"), "SENSITIVE")
put("no-header", b"\r\n[SENSITIVE]\r\n", "SENSITIVE")

# Subjects ------------------------------------------------------------------------------------------

put("subject-folded", raw("", "x\n", "Figures of [SEN\n SITIVE] things"), "SENSITIVE")
put("subject-b", octets(text("x\n", Header("Größen [SENSITIVE]", "utf-8").encode())), "SENSITIVE")
put("subject-q", raw("", "x\n", Header("Größen [SENSITIVE]", "iso-8859-1").encode()), "SENSITIVE")
put("subject-utf-16", raw("", "x\n", "=?utf-16?B?" + base64.b64encode("[SENSITIVE]".encode("utf-16")).decode() + "?="), "SENSITIVE")
put("subject-utf-7", raw("", "x\n", "=?utf-7?Q?+AFs-SENSITIVE+AF0-?="), "SENSITIVE")
put("subject-iso-2022-jp", octets(text("x\n", Header("［SENSITIVE］図", "iso-2022-jp").encode())), "SENSITIVE")
put("subject-split", raw("", "x\n", "=?utf-8?Q?=5BSENSI?=\n =?utf-8?Q?TIVE=5D?="), "SENSITIVE")
put("subject-split-charsets", raw("", "x\n", "=?utf-8?Q?=5BSEN?=\n =?iso-8859-1?Q?SI?= =?koi8-r?B?VElWRV0=?="), "SENSITIVE")
word = "【［ＳENSITIVE］】".encode("utf-8")
put("subject-split-character", raw("", "x\n", "".join(
    f"=?utf-8?B?{base64.b64encode(word[i:i + 4]).decode()}?=\n " for i in range(0, len(word), 4)).rstrip()), "SENSITIVE")
put("subject-in-word", raw("", "x\n", "Re:=?utf-8?Q?=5BSENSITIVE=5D?=figures"), "SENSITIVE")
put("subject-with-spaces", raw("", "x\n", "=?utf-8?Q?[SENSITIVE] and more?="), "SENSITIVE")
put("subject-language", raw("", "x\n", "=?us-ascii*en-nz?Q?=5BSENSITIVE=5D?="), "SENSITIVE")
put("subject-unclosed", raw("", "x\n", "=?utf-8?B?" + base64.b64encode(b"[SENSITIVE]").decode()), "SENSITIVE")
put("subject-unknown-charset", raw("", "x\n", "=?x-none-such?Q?=5BSENSITIVE=5D?="), "SENSITIVE", "undecodable")
put("subject-latin-1", crlf(head()).replace(b"Figures", "Größen [SENSITIVE]".encode("latin-1")) + b"\r\nx\r\n", "SENSITIVE")
put("subject-twice", raw("Subject: [SENSITIVE]\n", "x\n"), "SENSITIVE")
put("subject-space-colon", crlf(head(extra="Subject : [SENSITIVE]\n")) + b"\r\nx\r\n", "SENSITIVE")
put("subject-q-lower", raw("", "x\n", "=?UTF-8?q?=5bSENSITIVE=5d?="), "SENSITIVE")
put("subject-lower-case-encoded", raw("", "x\n", "=?utf-8?Q?=5Bsensitive=5D?="))

# Transfer encodings --------------------------------------------------------------------------------

put("quoted-printable", octets(text("Größen [SENSITIVE]\n", cte="quoted-printable")), "SENSITIVE")
put("quoted-printable-perl", raw("Content-Transfer-Encoding: quoted-printable\n", crlf(
    perl("undef $/; print encode_qp(<STDIN>)", ("x" * 70 + "[SENSITIVE] é\n").encode()))), "SENSITIVE")
put("quoted-printable-all", raw("Content-Transfer-Encoding: Quoted-Printable\n", "".join(
    f"={c:02x}" for c in b"[SENSITIVE]") + "\n"), "SENSITIVE")
put("quoted-printable-soft", raw("Content-Transfer-Encoding: quoted-printable\n", "a [SEN=  \nSI=\nTIVE=5D\n"), "SENSITIVE")
put("quoted-printable-broken", raw("Content-Transfer-Encoding: quoted-printable\n", "=ZZ =5 = [SENSITIVE=5D =\n"), "SENSITIVE")
put("base64", octets(text("Größen [SENSITIVE]\n", cte="base64")), "SENSITIVE")
put("base64-perl", raw("Content-Transfer-Encoding: BASE64\n", crlf(
    perl("undef $/; print encode_base64(<STDIN>)", b"figures " * 20 + b"[SENSITIVE]"))), "SENSITIVE")
B64 = base64.b64encode(b"These are [SENSITIVE] figures.").decode()
put("base64-no-padding", raw("Content-Transfer-Encoding: base64\n", base64.b64encode(b"[SENSITIVE]").decode().rstrip("=") + "\n"), "SENSITIVE")
put("base64-comment", raw("Content-Transfer-Encoding: (x) base64 (y)\n", B64 + "\n"), "SENSITIVE")
put("base64-quoted", raw('Content-Transfer-Encoding: "base64";\n', B64 + "\n"), "SENSITIVE")
put("base64-one-a-line", raw("Content-Transfer-Encoding: base64\n", "\n".join(B64) + "\n"), "SENSITIVE")
put("base64-junk", raw("Content-Transfer-Encoding: base64\n", "!" + "*".join(B64[i:i + 4] for i in range(0, len(B64), 4)) + "\n"),
    "SENSITIVE", "undecodable")
put("base64-footer", raw("Content-Transfer-Encoding: base64\n", base64.b64encode(b"x").decode() + "\n\n-- \n[SENSITIVE]\n"),
    "SENSITIVE", "undecodable")
put("base64-none", raw("Content-Transfer-Encoding: base64\n", "This is [SENSITIVE] and was never encoded.\n"), "SENSITIVE", "undecodable")
put("base64-none-html", raw("Content-Type: text/html\nContent-Transfer-Encoding: base64\n", "<p>[SEN<b>SITIVE</b>]</p>\n"), "SENSITIVE", "undecodable")
put("message-labelled-base64", raw("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n", "Subject: x\n\n[SENSITIVE]\n"),
    "SENSITIVE", "undecodable")
put("base64-two-texts", raw("Content-Transfer-Encoding: base64\n", base64.b64encode(b"x").decode() + "\n" + B64 + "\n"),
    "SENSITIVE", "undecodable")
UU = b"begin 644 figures.txt\n" + b"".join(binascii.b2a_uu(b"a line\n[SENSITIVE]\n"[i:i + 9]) for i in (0, 9)) + b" \nend\n"
put("uuencode", raw("Content-Transfer-Encoding: x-uuencode\n", crlf(UU)), "SENSITIVE")
put("uuencode-none", raw("Content-Transfer-Encoding: x-uuencode\n", "[SENSITIVE] and no begin\n"), "SENSITIVE", "undecodable")
put("unknown-encoding", raw("Content-Transfer-Encoding: x-rot13\n", "[SENSITIVE]\n"), "SENSITIVE", "undecodable")
put("encoding-twice", raw("Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n", B64 + "\n"), "SENSITIVE", "undecodable")
put("encoding-four-times", raw(3 * "Content-Transfer-Encoding: 7bit\n" + "Content-Transfer-Encoding: base64\n", B64 + "\n"),
    "SENSITIVE", "undecodable")
put("encoding-trailing-comment", raw("Content-Transfer-Encoding:\n base64 (of the\n figures)\n", B64 + "\n"), "SENSITIVE")

# Charsets ------------------------------------------------------------------------------------------

WIDE = "[ＳENＳITIVE]"  # with letters of a Japanese keyboard: only right where the charset is understood
for charset in ("utf-7", "utf-16", "utf-16be", "utf-16le", "utf-32", "utf-32le", "ibm037", "ibm500", "ibm1047", "ucs-2"):
    content = iconv("figures\n[SENSITIVE]\n", {"ucs-2": "UCS-2BE"}.get(charset, charset))
    put(f"charset-{charset}", raw(f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: base64\n",
                                  crlf(base64.encodebytes(content))), "SENSITIVE")
for charset in ("shift_jis", "euc-jp", "iso-2022-jp", "gb2312", "gbk", "gb18030", "big5", "euc-kr", "ks_c_5601-1987", "utf-8"):
    content = iconv(f"{WIDE}\n", {"ks_c_5601-1987": "CP949", "shift_jis": "CP932"}.get(charset, charset))
    put(f"charset-{charset}", raw(f"Content-Type: text/plain; charset=\"{charset}\"\nContent-Transfer-Encoding: 8bit\n", crlf(content)), "SENSITIVE")
for charset in ("iso-8859-1", "iso-8859-15", "windows-1252", "windows-1251", "koi8-r", "iso-8859-8-i", "cp850", "macintosh"):
    put(f"charset-{charset}", raw(f"Content-Type: text/plain; charset={charset}\n", b"\xe9\xa0[SENSITIVE]\xe9\r\n"), "SENSITIVE")
put("charset-utf-7-all", raw("Content-Type: text/plain; charset=unicode-1-1-utf-7\n",
                             b"+" + base64.b64encode("[SENSITIVE]".encode("utf-16-be")).rstrip(b"=") + b"-\r\n"), "SENSITIVE")
put("charset-utf-7-perl", raw("Content-Type: text/plain; charset=\"UTF-7\"\n",
                              perl("undef $/; print encode('UTF-7', decode('UTF-8', <STDIN>))", "é[SENSITIVE]é\n".encode())), "SENSITIVE")
put("charset-utf-7-lower", raw("Content-Type: text/plain; charset=utf-7\n", "+AFs-sensitive+AF0-\n"))
put("charset-utf-16-unlabelled", raw("Content-Type: text/plain\nContent-Transfer-Encoding: base64\n",
                                     crlf(base64.encodebytes("x [SENSITIVE]".encode("utf-16")))), "SENSITIVE")
put("charset-utf-16-no-mark", raw("Content-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: base64\n",
                                  crlf(base64.encodebytes("\u4e00［SENSITIVE］".encode("utf-16-le")))), "SENSITIVE")
put("charset-spaces", raw("Content-Type: text/plain; charset = \" UTF-7 \"\n", "+AFs-SENSITIVE+AF0-\n"), "SENSITIVE")
put("charset-2231", raw("Content-Type: text/plain; charset*0*=us-ascii''utf; charset*1=-7\n", "+AFs-SENSITIVE+AF0-\n"), "SENSITIVE")
put("charset-wrong", raw("Content-Type: text/plain; charset=utf-16\n", "[SENSITIVE]\n"), "SENSITIVE")
put("charset-ebcdic-wrong", raw("Content-Type: text/plain; charset=ibm037\n", "[SENSITIVE] and then a great deal of ASCII\n"), "SENSITIVE")
put("charset-unknown", raw("Content-Type: text/plain; charset=x-none-such\n", "[SENSITIVE]\n"), "SENSITIVE", "undecodable")
put("charset-twice", raw("Content-Type: text/plain; charset=us-ascii; charset=utf-7\n", "x\n"), "-", "undecodable")
put("invisible", raw("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n",
                     "[S\u200bE\u00adN\u2060S\ufeffI\u00a0T\u200dI\u200eV\ufe0fE]\n"), "SENSITIVE")
put("hyphens", raw("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n",
                   "[IN\u2011CONFIDENCE] [TOP\u2013SECRET]\n"), "IN-CONFIDENCE,TOP SECRET")
put("look-alikes", raw("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n",
                       "[\u0405ENSITIVE] \u3010SENSITIVE\u3011 [SENSITIV\u00c9]\n"))

# HTML ----------------------------------------------------------------------------------------------

HTML = {
    "plain": "<p>[SENSITIVE]</p>",
    "tags": "<p>[SEN<b>SI</b><i>TI</i><span style='color:red'>VE</span>]</p>",
    "blocks": "<div>[SEN</div><div>SITIVE]</div>",
    "breaks": "[SEN<br>SI<wbr>TIVE<br/>]",
    "table": "<table><tr><td>[SEN</td><td>SITIVE]</td></tr></table>",
    "decimal": "<p>&#91;SENSITIVE&#93;</p>",
    "hexadecimal": "<p>&#x5b;SENSITIVE&#x0000005D;</p>",
    "no-semicolon": "<p>&#91SENSITIVE&#93</p>",
    "letters": "<p>[&#83;&#69;&#78;&#x53;ITIVE]</p>",
    "names": "<p>&lbrack;SENSITIVE&rsqb;</p>",
    "spaces": "<p>[SEN&nbsp;SI&ZeroWidthSpace;TI&shyVE&NoBreak;]</p>",
    "comment": "<p>[SEN<!-- a comment > -- -->SITIVE]</p>",
    "in-comment": "<p>x<!--[if mso]><p>[SEN<b>SITIVE]</b></p><![endif]-->y</p>",
    "conditional": "<p>[SEN<!--[if mso]>SI<![endif]-->TIVE]</p>",
    "revealed": "<p>[SEN<![if !mso]>SI<![endif]>TIVE]</p>",
    "short-comment": "<p><!-->[SENSITIVE]<!-- --></p>",
    "bang-comment": "<p><!-- x --!>[SENSITIVE]<!-- --></p>",
    "hidden": "<p style='display: none'>[SENSITIVE]</p>",
    "white": "<p style='color:#fff;background:#fff'>[SENSITIVE]</p>",
    "hidden-inside": "<p>[SEN<span style='mso-x:y; Display : None'>sic</span>SITIVE]</p>",
    "tiny-inside": "<p>[SEN<span style=\"font-size:0\">sic <span>!</span></span>SITIVE]</p>",
    "title": "<html><head><title>[SENSITIVE] figures</title></head><body>x</body></html>",
    "alt": "<p><img src='cid:1' alt='[SENSITIVE]'></p>",
    "attribute": "<p title=\"&#91;SENSITIVE]\">x</p>",
    "title-trap": "<title><!-- </title><p>[SENSITIVE]</p> -->",
    "textarea-trap": "<textarea><script></textarea><p>[SENSITIVE]</p></script>",
    "style-trap": "<style><!-- p{} </style><p>[SENSITIVE]</p>",
    "quote-trap": "<p title='>'>[SENSITIVE]<b title=\">\">x</b></p>",
    "cdata": "<svg><text><![CDATA[[SENSITIVE]]]></text></svg>",
    "less-than": "<p>1 < 2 [SENSITIVE] a<3</p>",
    "unclosed": "<p>[SENSITIVE]<b",
    "nul": "<p>[SEN\0<\0b>SITIVE]</p>",
    "wide": "<p>［SENSITIVE］</p>",
    "end-tag": "<p>[SEN</ not a tag>SITIVE]</p>",
}
for name, html in HTML.items():
    put(f"html-{name}", raw("Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n",
                            f"<html><body>{html}</body></html>\n" if "<html" not in html else html), "SENSITIVE")
NO_HTML = {
    "lower": "<p>[sen<b>SITIVE</b>]</p>",
    "script": "<script>var a = b[SENSITIVE];</script><p>x</p>",
    "style": "<style>a[SENSITIVE] { }</style><p>x</p>",
    "tag": "<p><SENSITIVE></p> &amp;#91;SENSITIVE] &lcub;SENSITIVE]",
    "visible-inside": "<p>[SEN<span style='font-size:0.8em'>sic</span>SITIVE]</p>",
}
for name, html in NO_HTML.items():
    put(f"html-not-{name}", raw("Content-Type: text/html\n", f"<html><body>{html}</body></html>\n"))
put("html-qp", octets(text("<p>[SEN<b>SITIVE</b>]</p>\n", subtype="html", cte="quoted-printable")), "SENSITIVE")
put("html-base64", octets(text("<p>[SEN<b>SITIVE</b>]</p>\n", subtype="html", cte="base64")), "SENSITIVE")
put("html-utf-16", raw("Content-Type: text/html; charset=utf-16\nContent-Transfer-Encoding: base64\n",
                       crlf(base64.encodebytes("<p>[SEN<b>SITIVE</b>]</p>".encode("utf-16")))), "SENSITIVE")
put("html-utf-16-unlabelled", raw("Content-Type: text/html\nContent-Transfer-Encoding: base64\n",
                                  crlf(base64.encodebytes("<p>[SEN<b>SITIVE</b>]</p>".encode("utf-16")))), "SENSITIVE")
put("html-meta-utf-7", raw("Content-Type: text/html\n", '<head><meta http-equiv="Content-Type" content="text/html; charset=utf-7">'
                           "</head><p>+AFs-SENSITIVE+AF0-</p>"), "SENSITIVE")
put("html-utf-7", raw("Content-Type: text/html; charset=utf-7\n", "+ADw-p+AD4AWw-SEN+ADw-b+AD4-SITIVE+ADw-/b+AD4AXQA8-/p+AD4-\n"), "SENSITIVE")
put("html-as-plain", raw("Content-Type: text/plain\n", "<p>[SEN<b>SITIVE</b>]</p>\n"))
put("html-wrong-case-type", raw("content-type: TEXT/HTML\n", "<p>[SEN<b>SITIVE</b>]</p>\n"), "SENSITIVE")
put("enriched", raw("Content-Type: text/enriched\n", "[SEN<bold>SI</bold><color><param>red</param>TI</color>VE]\n"), "SENSITIVE")
put("type-twice", raw("Content-Type: text/plain\nContent-Type: text/html\n", "<p>[SEN<b>SITIVE</b>]</p>\n"), "SENSITIVE", "undecodable")
put("type-four-times", raw(3 * "Content-Type: application/pdf\n" + "Content-Type: text/plain\n", "[SENSITIVE]\n"), "SENSITIVE", "undecodable")
put("type-quoted", raw("Content-Type: \"text/html\"\n", "<p>[SEN<b>SITIVE</b>]</p>\n"), "SENSITIVE", "undecodable")
put("type-unclosed-comment", raw("Content-Type: (figures multipart/mixed; boundary=b\n",
                                 f"--b\nContent-Transfer-Encoding: base64\n\n{B64}\n--b--\n"), "SENSITIVE", "undecodable")
put("type-empty", raw("Content-Type:\n", "[SENSITIVE]\n"), "SENSITIVE")
put("type-unreadable", raw("Content-Type: text\n", "[SENSITIVE]\n"), "SENSITIVE")
put("type-unknown-text", raw("Content-Type: text/x-figures\n", "<p>[SEN<b>SITIVE</b>]</p>\n"), "SENSITIVE")
put("calendar", raw("Content-Type: text/calendar; method=REQUEST; charset=utf-8\n",
                    "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Meeting about the figures [SEN\n SITIVE]\nEND:VEVENT\nEND:VCALENDAR\n"), "SENSITIVE")

put("calendar-escaped", raw("Content-Type: text/calendar; charset=utf-8\n",
                            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:One\\, two [SEN\\nSITIVE]\nEND:VEVENT\nEND:VCALENDAR\n"), "SENSITIVE")

# Multiparts ----------------------------------------------------------------------------------------

SAY, NOT = part("[SENSITIVE]\n"), part("Nothing.\n")
put("alternative-plain", octets(multipart("alternative", SAY, part("<p>x</p>", "html"))), "SENSITIVE")
put("alternative-html", octets(multipart("alternative", NOT, part("<p>[SEN<b>SITIVE</b>]</p>", "html"))), "SENSITIVE")
related = MIMEMultipart("related", boundary="=_b2")
related.attach(part("<p>[SENSITIVE]</p>", "html"))
put("related", octets(multipart("alternative", NOT, related)), "SENSITIVE")
deep = part("[SENSITIVE]\n")
for i in range(20):
    outer = MIMEMultipart("mixed", boundary=f"=_deep{i:02}=")
    outer.attach(deep)
    deep = outer
put("deep", octets(multipart("mixed", deep)), "SENSITIVE")
too_deep = part("[SENSITIVE]\n")
for i in range(60):
    outer = MIMEMultipart("mixed", boundary=f"=_deep{i:02}=")
    outer.attach(too_deep)
    too_deep = outer
put("too-deep", octets(multipart("mixed", too_deep)), "SENSITIVE", "undecodable")
attached = text("[SENSITIVE]\n", "A message within")
put("message", octets(multipart("mixed", NOT, MIMEMessage(attached))), "SENSITIVE")
put("message-subject", octets(multipart("mixed", NOT, MIMEMessage(text("x\n", Header("[SENSITIVE] é", "utf-8").encode())))), "SENSITIVE")
forwarded = MIMEMessage(attached)
forwarded.add_header("Content-Disposition", "attachment", filename="forwarded.eml")
put("message-attached", octets(multipart("mixed", NOT, forwarded)), "SENSITIVE")
encoded = MIMEBase("message", "rfc822")
encoded["Content-Transfer-Encoding"] = "base64"
encoded.set_payload(base64.encodebytes(octets(text("<p>[SEN<b>SITIVE</b>]</p>", subtype="html"))).decode())
put("message-base64", octets(multipart("mixed", NOT, encoded)), "SENSITIVE")
put("digest", raw("Content-Type: multipart/digest; boundary=d\n", "--d\n\nSubject: [SENSITIVE]\n\nx\n--d\n\nSubject: y\n\nz\n--d--\n"), "SENSITIVE")
report = part("It could not be delivered. [SENSITIVE]\n")
status = email.message_from_string("Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.outside.test\n\n"
                                   "Final-Recipient: rfc822; ann@outside.test\nAction: failed\n")
put("report", octets(multipart("report", report, status, **{"report-type": "delivery-status"})), "SENSITIVE")
returned = MIMEBase("text", "rfc822-headers")
returned.set_payload("Subject: =?utf-8?B?" + base64.b64encode("é [SENSITIVE]".encode()).decode() + "?=\n")
put("report-headers", octets(multipart("report", NOT, status, returned)), "SENSITIVE")
put("partial", raw('Content-Type: message/partial; id="1@agency-a.test"; number=1; total=2\n',
                   "Subject: x\n\n[SENSITIVE]\n"), "SENSITIVE", "undecodable")
put("digest-explicit", raw("Content-Type: multipart/digest; boundary=d\n", "--d\nContent-Type: message/rfc822\n\nSubject: x\n\n[SENSITIVE]\n--d--\n"), "SENSITIVE")

# Attachments ---------------------------------------------------------------------------------------


def attachment(content, subtype="plain", name="figures.txt", **options):
    return octets(multipart("mixed", NOT, part(content, subtype, disposition="attachment", name=name, **options)))


put("attached-text", attachment("[SENSITIVE]\n"), "-", "-", "SENSITIVE")
put("attached-html", attachment("<p>[SEN<b>SITIVE</b>]</p>", "html", "figures.html"), "-", "-", "SENSITIVE")
put("attached-rtf", attachment(r"{\rtf1\ansi [SEN{\b SI}TIVE]}", "rtf", "figures.rtf"), "-", "-", "SENSITIVE")
put("attached-name", attachment("x\n", name="[SENSITIVE] figures.txt"), "-", "-", "SENSITIVE")
name_2231 = MIMEText("x\n")
name_2231.add_header("Content-Disposition", "attachment", filename=("utf-8", "", "Größen [SENSITIVE].txt"))
put("attached-name-2231", octets(multipart("mixed", NOT, name_2231)), "-", "-", "SENSITIVE")
untyped = MIMEBase("application", "octet-stream")
untyped["Content-Transfer-Encoding"] = "base64"
untyped.set_payload(base64.encodebytes(b"[SENSITIVE]").decode())
untyped.add_header("Content-Disposition", "attachment", filename="figures.TXT")
put("attached-by-name", octets(multipart("mixed", NOT, untyped)), "-", "-", "SENSITIVE")
binary = MIMEBase("application", "pdf")
binary["Content-Transfer-Encoding"] = "base64"
binary.set_payload(base64.encodebytes(b"%PDF-1.4 [SENSITIVE]").decode())
put("attached-pdf", octets(multipart("mixed", NOT, binary)))
put("inline-text", octets(multipart("mixed", NOT, part("[SENSITIVE]\n", disposition="inline", name="figures.txt"))), "SENSITIVE")
put("only-attachment", raw("Content-Disposition: attachment; filename=figures.txt\nContent-Type: text/plain\n", "[SENSITIVE]\n"), "SENSITIVE")
put("disposition-twice", raw("Content-Type: multipart/mixed; boundary=b\n", "--b\n\nx\n--b\nContent-Disposition: attachment\n"
                             "Content-Disposition: inline\n\n[SENSITIVE]\n--b--\n"), "SENSITIVE")

put("attached-first", octets(multipart("mixed", part("[SENSITIVE]\n", disposition="attachment", name="figures.txt"), NOT)), "SENSITIVE")
put("attached-alternative", octets(multipart("alternative", NOT, part(
    "<p>[SEN<b>SITIVE</b>]</p>", "html", disposition="attachment", name="figures.html"))), "SENSITIVE")
put("attached-uuencoded", raw("", b"The figures:\r\n\r\n" + crlf(UU)), "-", "-", "SENSITIVE")
protected = MIMEText("x\n")
protected["Subject"] = "[SENSITIVE] figures"
put("subject-protected", octets(multipart("signed", protected, NOT)), "SENSITIVE")

# RTF -----------------------------------------------------------------------------------------------

RTF = {
    "plain": r"{\rtf1\ansi [SENSITIVE]}",
    "runs": r"{\rtf1\ansi [SEN{\b SI}\i TI\i0 VE]}",
    "hex": r"{\rtf1\ansi\ansicpg1252 \'5bSENSITIVE\'5d}",
    "unicode": r"{\rtf1\ansi\uc1 \u91?SENSITIVE\u93?}",
    "paragraphs": "{\\rtf1\\ansi [SEN\\par\r\nSITIVE]}",
    "hidden": r"{\rtf1\ansi x{\v [SENSITIVE]}}",
}
for name, rtf in RTF.items():
    put(f"rtf-{name}", raw("Content-Type: text/rtf\n", rtf + "\n"), "SENSITIVE")
put("rtf-application", octets(multipart("alternative", NOT, MIMEBase("application", "rtf"))).replace(
    b"Content-Type: application/rtf\r\nMIME-Version: 1.0\r\n\r\n", b"Content-Type: application/rtf\r\n\r\n{\\rtf1 [SEN{\\b SI}TIVE]}\r\n"), "SENSITIVE")
put("rtf-lower", raw("Content-Type: text/rtf\n", r"{\rtf1\ansi [sensitive]}" + "\n"))

# TNEF ----------------------------------------------------------------------------------------------

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "system"))
sys.dont_write_bytecode = True
import outlook  # noqa: E402


def tnef(*attributes, **parameters):
    p = MIMEBase("application", "ms-tnef", name="winmail.dat")
    p["Content-Transfer-Encoding"] = "base64"
    p.set_payload(base64.encodebytes(outlook.stream(*attributes, **parameters)).decode())
    p.add_header("Content-Disposition", "attachment", filename="winmail.dat")
    return p


def rtf_body(rtf):
    return outlook.properties(outlook.prop(0x1009, outlook.BINARY, outlook.rtf_compressed(rtf)))


put("tnef-body", octets(multipart("mixed", NOT, tnef(outlook.attribute(outlook.BODY, b"x [SENSITIVE]\0")))), "SENSITIVE")
put("tnef-rtf", octets(multipart("mixed", NOT, tnef(rtf_body(rb"{\rtf1\ansi [SEN{\b SI}TIVE]}")))), "SENSITIVE")
put("tnef-html-in-rtf", octets(multipart("mixed", NOT, tnef(rtf_body(
    rb"{\rtf1\ansi\fromhtml1 {\*\htmltag64 <p>}[SEN{\*\htmltag84 <b>}SI{\*\htmltag92 </b>}TIVE]}")))), "SENSITIVE")
put("tnef-html", octets(multipart("mixed", NOT, tnef(outlook.properties(
    outlook.prop(0x1013, outlook.BINARY, b"<p>[SEN<b>SITIVE</b>]</p>"))))), "SENSITIVE")
put("tnef-subject", octets(multipart("mixed", NOT, tnef(outlook.properties(
    outlook.prop(0x0037, outlook.UNICODE, "[SENSITIVE] é"))))), "SENSITIVE")
put("tnef-lower", octets(multipart("mixed", NOT, tnef(rtf_body(rb"{\rtf1\ansi [sensitive]}")))))
put("tnef-attachment", octets(multipart("mixed", NOT, tnef(outlook.attachment(
    (outlook.ATTACH_TITLE, b"figures.txt\0"), (outlook.ATTACH_DATA, b"[SENSITIVE]"))))), "-", "-", "SENSITIVE")
put("tnef-by-name", octets(multipart("mixed", NOT, tnef(rtf_body(rb"{\rtf1\ansi [SENSITIVE]}")))).replace(
    b"application/ms-tnef", b"application/octet-stream"), "SENSITIVE")
put("tnef-damaged", octets(multipart("mixed", NOT, tnef(outlook.attribute(outlook.BODY, b"[SENSITIVE]\0", checksum=1)))),
    "SENSITIVE", "undecodable")
put("tnef-none", raw("Content-Type: application/ms-tnef\n", "no TNEF\n"), "-", "undecodable")

# S/MIME and PGP ------------------------------------------------------------------------------------

with tempfile.TemporaryDirectory() as folder:
    key, certificate, entity = (os.path.join(folder, n) for n in ("key", "crt", "entity"))
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
        "-days", "1", "-subj", "/CN=Joe")
    pathlib.Path(entity).write_bytes(b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
                                     crlf(base64.encodebytes(b"<p>[SEN<b>SITIVE</b>]</p>")))
    fields = b"From: joe@agency-a.test\r\nTo: ann@outside.test\r\nSubject: Figures\r\n"

    def cms(*arguments):
        return fields + crlf(run("openssl", "cms", "-in", entity, *arguments))

    put("smime-detached", cms("-sign", "-signer", certificate, "-inkey", key), "SENSITIVE")
    put("smime-opaque", cms("-sign", "-nodetach", "-signer", certificate, "-inkey", key), "SENSITIVE")
    put("smime-opaque-streamed", cms("-sign", "-nodetach", "-stream", "-indef", "-signer", certificate, "-inkey", key), "SENSITIVE")
    enveloped = cms("-encrypt", "-aes128", certificate)
    put("smime-enveloped", enveloped, "-", "opaque")
    opaque = cms("-sign", "-nodetach", "-signer", certificate, "-inkey", key)
    put("smime-label-lies", opaque.replace(b"smime-type=signed-data", b"smime-type=enveloped-data"), "SENSITIVE")
    put("smime-by-name", opaque.replace(b"application/x-pkcs7-mime", b"application/octet-stream").replace(
        b"application/pkcs7-mime", b"application/octet-stream"), "SENSITIVE")
    put("smime-broken", raw("Content-Type: application/pkcs7-mime; smime-type=enveloped-data\nContent-Transfer-Encoding: base64\n",
                            base64.encodebytes(b"no CMS at all, this").decode()), "-", "undecodable")
    home = os.path.join(folder, "gnupg")
    os.mkdir(home, 0o700)
    gpg = ("gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", "none")
    armoured = run(*gpg, "--symmetric", "--armor", "--pinentry-mode", "loopback", data=b"[SENSITIVE]")
    run("gpgconf", "--homedir", home, "--kill", "all")
    body = (b"--p\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n\n--p\nContent-Type: application/octet-stream\n\n" +
            armoured + b"\n--p--\n")
    put("pgp-mime", raw('Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=p\n', crlf(body)), "-", "opaque")
    put("pgp-in-text", raw("", crlf(armoured)))

# Structure -----------------------------------------------------------------------------------------

MIXED = "Content-Type: multipart/mixed; boundary=b\n"
HIDE = "Content-Type: application/octet-stream\nContent-Disposition: attachment\n"
put("preamble", raw(MIXED, "[SENSITIVE]\n--b\n\nx\n--b--\n"), "SENSITIVE")
put("epilogue", raw(MIXED, "--b\n\nx\n--b--\n[SENSITIVE]\n"), "SENSITIVE")
put("epilogue-base64", raw(MIXED, f"--b\n\nx\n--b--\nContent-Transfer-Encoding: base64\n\n{B64}\n"), "SENSITIVE")
put("no-closing", raw(MIXED, f"--b\n\nx\n--b\nContent-Transfer-Encoding: base64\n\n{B64}\n"), "SENSITIVE")
put("no-boundary", raw("Content-Type: multipart/mixed\n", f"--b\nContent-Transfer-Encoding: base64\n\n{B64}\n--b--\n"), "SENSITIVE", "undecodable")
put("wrong-boundary", raw("Content-Type: multipart/mixed; boundary=c\n",
                          f"--b\nContent-Transfer-Encoding: base64\n\n{B64}\n--b--\n"), "SENSITIVE")
put("boundary-unclosed-quote", raw('Content-Type: multipart/mixed; boundary="b\n', f"--b\nContent-Transfer-Encoding: base64\n\n{B64}\n--b--\n"),
    "SENSITIVE", "undecodable")
put("boundary-twice", raw("Content-Type: multipart/mixed; boundary=a; boundary=b\n",
                          f"--b\nContent-Transfer-Encoding: base64\n\n{B64}\n--b--\n"), "SENSITIVE", "undecodable")
put("boundary-2231", raw('Content-Type: multipart/mixed; boundary*0="b"; boundary*1="c"\n',
                         f"--bc\nContent-Transfer-Encoding: base64\n\n{B64}\n--bc--\n"), "SENSITIVE")
put("boundary-trailing-space", raw(MIXED, f"--b  \t\nContent-Transfer-Encoding: base64\n\n{B64}\n--b-- \n"), "SENSITIVE")
put("boundary-more-behind", raw(MIXED, f"--b\n{HIDE}\nx\n--bb\nContent-Transfer-Encoding: base64\n\n{B64}\n--b--\n"), "SENSITIVE")
put("boundary-bare-cr", raw(MIXED, f"--b\r\n\r\nx\r--b\rContent-Transfer-Encoding: base64\r\n\r\n{B64}\r\n--b--\r\n".encode()), "SENSITIVE")
put("boundary-nested-same", raw(MIXED, f"--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n--b\n"
                                f"Content-Transfer-Encoding: base64\n\n{B64}\n--b--\n"), "SENSITIVE")
put("boundary-nested-prefix", raw(MIXED, f"--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n{HIDE}\nx\n--b\n"
                                  f"Content-Transfer-Encoding: base64\n\n{B64}\n--bb--\n--b--\n"), "SENSITIVE", "undecodable")
put("parts-behind-end", raw(MIXED, f"--b\n\nx\n--b--\n--b\nContent-Transfer-Encoding: base64\n\n{B64}\n--b--\n"), "SENSITIVE")
put("part-no-header", raw(MIXED, "--b\n[SENSITIVE]\n--b--\n"), "SENSITIVE")
put("part-bad-line", raw(MIXED, f"--b\nthis is no field\nContent-Transfer-Encoding: base64\n\n{B64}\n--b--\n"), "SENSITIVE")
put("part-blank-line-in-header", raw(MIXED, f"--b\n{HIDE} \t\n[SENSITIVE]\n\nx\n--b--\n"), "SENSITIVE")
put("part-bare-cr-in-header", raw(MIXED, f"--b\r\nX: y\rContent-Transfer-Encoding: base64\r\n\r\n{B64}\r\n--b--\r\n".encode()), "SENSITIVE")
put("part-nul-in-type", raw(MIXED, b"--b\r\nContent-Type: application/octet-stream\0; x\r\n\r\n[SENSITIVE]\r\n--b--\r\n"), "SENSITIVE", "undecodable")
put("part-from-line", raw("Content-Type: message/rfc822\n", "From joe Sun Nov 29 10:00:00 2026\nSubject: [SENSITIVE]\n\nx\n"), "SENSITIVE")
put("header-bad-line", crlf(b"From: joe@agency-a.test\nnot a field\nContent-Transfer-Encoding: base64\n\n" + B64.encode() + b"\n"), "SENSITIVE")
put("multipart-base64", raw(MIXED + "Content-Transfer-Encoding: base64\n", base64.encodebytes(b"--b\n\n[SENSITIVE]\n--b--\n").decode()),
    "SENSITIVE", "undecodable")
put("multipart-labelled-base64", raw(MIXED + "Content-Transfer-Encoding: base64\n", "--b\n\n[SENSITIVE]\n--b--\n"), "SENSITIVE", "undecodable")
put("multipart-type-twice", raw("Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=b\n",
                                f"--b\nContent-Transfer-Encoding: base64\n\n{B64}\n--b--\n"), "SENSITIVE", "undecodable")

put("multipart-two-boundaries", raw("Content-Type: multipart/mixed; boundary=a\nContent-Type: multipart/mixed; boundary=b\n",
                                    "--a\n\nKia ora.\n--a\nContent-Type: application/pdf\nContent-Disposition: attachment\n\n"
                                    f"--b\nContent-Transfer-Encoding: base64\n\n{B64}\n--b--\n--a--\n"), "SENSITIVE", "undecodable")
put("disposition-nine-times", raw("Content-Type: multipart/mixed; boundary=a\n", "--a\n\nKia ora.\n--a\nContent-Type: text/plain\n" +
                                  8 * "Content-Disposition: attachment\n" + "Content-Disposition: inline\n\n[SENSITIVE]\n--a--\n"),
    "SENSITIVE")
rows.sort()
(OUT / "table.tsv").write_text("# file\twords\twhat else\twords with attachments\n" +
                               "".join("\t".join(row) + "\n" for row in rows))
