"""Section `text` of tools/bench: CPU time of finding trigger words, by kind and size of message."""
import base64
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "system"))
import outlook  # noqa: E402  writes TNEF

HELPER = "libexec/sealgate/sealgate-tnef"
HEAD = (b"From: joe@agency-a.test\r\nTo: ann@outside.test\r\nSubject: Figures of the month\r\n"
        b"Date: Sun, 29 Nov 2026 10:00:00 +1300\r\nMessage-ID: <1@agency-a.test>\r\nMIME-Version: 1.0\r\n")
WORDS = "the figures of this month are to be found [1] in section three, and those of last year below; see also".split()


def prose(size, rng, line=72):
    out, n = [], 0
    while n < size:
        text = ""
        while len(text) < line:
            text += rng.choice(WORDS) + " "
        out.append(text.rstrip() + "\r\n")
        n += len(out[-1])
    return "".join(out).encode()[:size]


def html(size, rng):
    """As mail clients make it: styles on every element, tables, Outlook's comments at its head."""
    out = ["<html><head><meta charset=\"utf-8\"><style>p.MsoNormal { margin: 0cm; font-size: 11pt; }</style>"
           "<!--[if gte mso 9]><xml><o:shapedefaults v:ext=\"edit\" /></xml><![endif]--></head><body>\r\n"]
    n = len(out[0])
    while n < size:
        out.append(f"<tr><td style=\"padding:0 4px;font-family:Calibri,sans-serif\"><p class=\"MsoNormal\">"
                   f"{prose(70, rng).decode().strip()}&nbsp;<b>{rng.choice(WORDS)}</b><a href=\"https://agency-a.test/"
                   f"?a={rng.random()}&amp;b=1\">{rng.choice(WORDS)}</a></p></td></tr>\r\n")
        n += len(out[-1])
    return "".join(out).encode()[:size]


def rtf(size, rng):
    return b"{\\rtf1\\ansi " + b"\\par\r\n".join(
        b"\\pard\\plain\\f0\\fs22 " + prose(70, rng).strip() for _ in range(size // 98)) + b"}"


def mail(kind, body, encoding=b"7bit"):
    return HEAD + b"Content-Type: " + kind + b"\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body


def b64(data):
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def messages(rng):
    kib, mib = 1 << 10, 1 << 20
    plain, page = b"text/plain; charset=utf-8", b"text/html; charset=utf-8"
    mixed = b"multipart/mixed; boundary=b"
    attachment = (b"--b\r\n\r\n" + prose(10 * kib, rng) + b"\r\n--b\r\nContent-Type: application/pdf\r\n"
                  b"Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n")
    return {
        "plain_10k": mail(plain, prose(10 * kib, rng)),
        "html_10k": mail(page, html(10 * kib, rng)),
        "html_base64_10k": mail(page, b64(html(10 * kib, rng)), b"base64"),
        "latin_qp_10k": mail(b"text/plain; charset=iso-8859-1", prose(10 * kib, rng).replace(b"f", b"=E9"), b"quoted-printable"),
        "japanese_10k": mail(b"text/plain; charset=shift_jis", b"\x82\xa0" * (5 * kib), b"8bit"),
        "utf7_10k": mail(b"text/plain; charset=utf-7", prose(10 * kib, rng)),
        "rtf_10k": mail(b"text/rtf", rtf(10 * kib, rng)),
        "tnef_rtf_10k": mail(b"application/ms-tnef", b64(outlook.stream(outlook.properties(
            outlook.prop(0x1009, outlook.BINARY, outlook.rtf_compressed(rtf(10 * kib, rng)))))), b"base64"),
        "plain_1m": mail(plain, prose(mib, rng)),
        "plain_25m": mail(plain, prose(25 * mib, rng)),
        "html_1m": mail(page, html(mib, rng)),
        "html_25m": mail(page, html(25 * mib, rng)),
        "attachment_25m": mail(mixed, attachment + b64(rng.randbytes(18 * mib)) + b"--b--\r\n"),
        # what is made to cost
        "brackets_1m": mail(plain, b"[" * mib),
        "words_1m": mail(plain, b"[TOPSECRE" * (mib // 9)),
        "tags_1m": mail(page, b"<b>" * (mib // 3)),
        "comments_1m": mail(page, b"<!--[if" * (mib // 7)),
        "references_1m": mail(page, b"&#" * (mib // 2)),
        "dashes_1m": mail(mixed, b"--b\r\n\r\n" + b"--\r\n" * (mib // 4)),
        "parts_10m": mail(mixed, b"--b\r\n\r\nx\r\n" * mib),
        "blind_1m": mail(b"multipart/mixed", html(mib, rng)),
    }


def run(build, rounds):
    """The figures: (name, value, unit)."""
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for name, data in messages(rng).items():
            path = Path(folder) / name
            path.write_bytes(data)
            paths[str(path)] = (name, len(data))
        out = subprocess.run([build / "bench/bench_text", str(rounds), build / HELPER, *paths], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    times = {}
    for line in out.splitlines():
        path, ms = line.split("\t")
        times.setdefault(paths.get(path, (path, 0))[0], []).append(float(ms))
    sizes = dict(paths.values())
    figures = []
    for name, values in times.items():
        ms = statistics.median(values)
        figures.append((f"text_{name}", ms, "ms"))
        if name in sizes:
            figures.append((f"text_{name}_rate", sizes[name] / ms / 1e3, "MB/s"))
    for kind in ("plain", "html"):  # how much dearer an octet is in the large one, round by round
        ratio = statistics.median(large / small / 25 for small, large in zip(times[f"{kind}_1m"], times[f"{kind}_25m"]))
        figures.append((f"text_{kind}_linearity", ratio, "ratio"))
    return figures
