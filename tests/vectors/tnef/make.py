#!/usr/bin/python3
"""Makes the streams of this folder and, beside each, what must be read out of it:

    python3 tests/vectors/tnef/make.py

A line a part: kind, depth, charset, name, type, bytes; then what is damaged. Streams come from
tests/system/outlook.py, which shares nothing with the reader.
"""
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "system"))
sys.dont_write_bytecode = True
from outlook import *  # noqa: E402,F403  the words of the format

RTF = (rb"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fswiss\fcharset0 Arial;}}" b"\r\n"
       rb"\pard\f0\fs20 Rich text: [SE{\b CR}ET]\par" b"\r\n"
       rb"and once more, rich text, rich text\par" b"\r\n}")


def shown(data):
    return "".join(chr(b) if 32 <= b < 127 and b != 92 else f"\\x{b:02x}" for b in data)


def part(kind, data, charset="CP1252", depth=0, name="", mime=""):
    if kind in ("RTF", "ATTACHMENT"):
        charset = "-"
    if charset == "UTF-16LE" and isinstance(data, str):
        data = data.encode("utf-16-le")
    return f"{kind} {depth} {charset} <{shown(name.encode())}> <{mime}> {shown(data)}\n"


def subject(data, *args, **kw):
    return part("SUBJECT", data, *args, **kw)


def text(data, *args, **kw):
    return part("TEXT", data, *args, **kw)


def html(data, *args, **kw):
    return part("HTML", data, *args, **kw)


def rtf(data, **kw):
    return part("RTF", data, **kw)


def file(data, **kw):
    return part("ATTACHMENT", data, **kw)


def damage(words):
    return f"damage: {words}\n"


def nested(levels, innermost=b"the innermost\0"):
    tnef = stream(attribute(BODY, innermost))
    for _ in range(levels):
        tnef = stream(attachment(attached(attached_message(tnef))))
    return tnef


BODY_TEXT = attribute(BODY, b"The body: [SECRET]\0")

VECTORS = {
    # What Outlook writes.
    "plain": (stream(attribute(SUBJECT, b"The subject\0"), BODY_TEXT),
              subject(b"The subject") + text(b"The body: [SECRET]")),
    "japanese": (stream(attribute(SUBJECT, "極秘".encode("cp932") + b"\0"),
                        properties(prop(0x1000, STRING8, "日本語 [SECRET]".encode("cp932"))),
                        codepage=932),
                 subject("極秘".encode("cp932"), "CP932")
                 + text("日本語 [SECRET]".encode("cp932"), "CP932")),
    "unicode": (stream(properties(prop(0x0037, UNICODE, "Māori"), prop(0x0e1d, UNICODE, "ori"),
                                  prop(0x1000, UNICODE, "Kia ora [SECRET] 😀"))),
                subject("Māori", "UTF-16LE") + subject("ori", "UTF-16LE")
                + text("Kia ora [SECRET] 😀", "UTF-16LE")),
    "rtf": (stream(properties(prop(0x0037, STRING8, b"Only in RTF"),
                              prop(0x1009, BINARY, rtf_compressed(RTF)))),
            subject(b"Only in RTF") + rtf(RTF)),
    "rtf-stored": (stream(properties(prop(0x1009, BINARY, rtf_stored(RTF)))), rtf(RTF)),
    "rtf-long": (stream(properties(prop(0x1009, BINARY, rtf_compressed(RTF * 60)))), rtf(RTF * 60)),
    "html": (stream(properties(prop(0x1013, BINARY, "<p>Māori [SECRET]</p>".encode()),
                               prop(0x3fde, LONG, 65001))),
             html("<p>Māori [SECRET]</p>".encode(), "UTF-8")),
    "html-string": (stream(properties(prop(0x1013, STRING8, b"<p>[SECRET]</p>"),
                                      prop(0x1013, UNICODE, "<p>again</p>"),
                                      prop(0x3fde, LONG, 65001))),
                    html(b"<p>[SECRET]</p>") + html("<p>again</p>", "UTF-16LE")),
    "meeting": (stream(
        attribute(MESSAGE_CLASS, b"IPM.Microsoft Schedule.MtgReq\0"),
        properties(prop(0x001a, STRING8, b"IPM.Schedule.Meeting.Request"),
                   prop(0x0037, UNICODE, "Hui"), prop(0x0060, SYSTIME, 133000000000000000),
                   prop(0x8001, UNICODE, "Room 7 [SECRET]", (PSETID_APPOINTMENT, 0x8208)),
                   prop(0x8002, BOOLEAN, True, (PSETID_APPOINTMENT, 0x8215)),
                   prop(0x8003, UNICODE, ["one", "two"], (PS_PUBLIC_STRINGS, "Keywords")),
                   prop(0x8004, STRING8, b"not shown", (PS_INTERNET_HEADERS, "x-header")),
                   prop(0x1009, BINARY, rtf_compressed(RTF)))),
        subject("Hui", "UTF-16LE") + text("Room 7 [SECRET]", "UTF-16LE") + text("one", "UTF-16LE")
        + text("two", "UTF-16LE") + rtf(RTF)),
    "contact": (stream(properties(prop(0x001a, STRING8, b"IPM.Contact"),
                                  prop(0x3001, STRING8, b"A name"), prop(0x3a24, STRING8, b"Dr"),
                                  prop(0x3a18, UNICODE, "Postal address"),
                                  prop(0x007d, STRING8, b"Subject: [SECRET]"),
                                  prop(0x0070, STRING8, b"[SECRET] of a mail before"))),
                text(b"A name") + text(b"Dr") + text("Postal address", "UTF-16LE")),
    "attachments": (stream(
        BODY_TEXT,
        attachment((ATTACH_TITLE, b"REPORT~1.TXT\0"), (ATTACH_DATA, b"first file"),
                   attached(prop(0x3704, STRING8, b"REPORT~1.TXT"),
                            prop(0x3707, UNICODE, "Büro report.txt"),
                            prop(0x370e, STRING8, b"Text/Plain"))),
        attachment((ATTACH_DATA, b"second"), (ATTACH_TITLE, b"B\xfcro.bin\0")),
        attachment(attached(prop(0x3701, BINARY, b"third"), prop(0x3001, UNICODE, "shown name"),
                            prop(0x370e, UNICODE, "application/PDF"))),
        attachment(attached(prop(0x3701, OBJECT, IID_STORAGE + b"storage")))),
        text(b"The body: [SECRET]")
        + file(b"first file", name="Büro report.txt", mime="text/plain")
        + file(b"second", name="Büro.bin")
        + file(b"third", name="shown name", mime="application/pdf") + file(b"storage")),
    "message-in-message": (stream(
        attribute(SUBJECT, b"outer\0"),
        attachment((ATTACH_TITLE, b"Inner mail\0"),
                   attached(prop(0x3705, LONG, 5), attached_message(stream(
                       properties(prop(0x0037, STRING8, "inner ä".encode("cp437")),
                                  prop(0x1009, BINARY, rtf_compressed(RTF))),
                       attachment((ATTACH_TITLE, b"deep.txt\0"), (ATTACH_DATA, b"deep")),
                       codepage=437))))),
        subject(b"outer") + subject("inner ä".encode("cp437"), "CP437", depth=1)
        + rtf(RTF, depth=1) + file(b"deep", depth=1, name="deep.txt")
        + file(b"", name="Inner mail")),

    # What is odd but can be read.
    "all-types": (stream(properties(
        prop(0x0002, I2, 7), prop(0x0003, LONG, 7), prop(0x0004, R4, 1.5),
        prop(0x0005, DOUBLE, 1.5), prop(0x0006, CURRENCY, 7), prop(0x0007, APPTIME, 1.5),
        prop(0x0008, ERROR, -1), prop(0x0009, BOOLEAN, False), prop(0x000b, I8, 7),
        prop(0x000c, SYSTIME, 7), prop(0x000d, CLSID, bytes(16)), prop(0x000e, BINARY, b"12345"),
        prop(0x000f, OBJECT, IID_STORAGE), prop(0x0010, LONG, [1, 2, 3]),
        prop(0x0011, I8, [1, 2]), prop(0x0012, BINARY, [b"1", b"", b"12345"]),
        prop(0x0013, STRING8, []), prop(0x8000, UNICODE, "named", (PS_PUBLIC_STRINGS, "odd")),
        prop(0x1000, STRING8, b"behind all of them"))),
        text("named", "UTF-16LE") + text(b"behind all of them")),
    "twice": (stream(attribute(BODY, b"one\0"), attribute(BODY, b"two\0"),
                     properties(prop(0x1000, STRING8, b"three")),
                     properties(prop(0x1000, STRING8, b"four"))),
              text(b"one") + text(b"two") + text(b"three") + text(b"four")),
    "no-codepage": (stream(BODY_TEXT, codepage=None), text(b"The body: [SECRET]")),
    "codepage-of-message": (stream(properties(prop(0x1000, STRING8, b"\xcf"),
                                              prop(0x3ffd, LONG, 1251)), codepage=None),
                            text(b"\xcf", "CP1251")),
    "codepage-not-known": (stream(BODY_TEXT, codepage=4711), text(b"The body: [SECRET]", "CP4711")),
    "codepage-not-of-bytes": (stream(BODY_TEXT, codepage=1200), text(b"The body: [SECRET]")),
    "no-terminator": (stream(attribute(BODY, b"The body")), text(b"The body")),
    "empty-attributes": (stream(attribute(BODY, b""), attribute(SUBJECT, b"\0"), BODY_TEXT),
                         text(b"The body: [SECRET]")),
    "line-end-behind": (stream(BODY_TEXT) + b"\r\n\0\0", text(b"The body: [SECRET]")),
    "many-properties": (stream(properties(*[prop(0x6000, LONG, 1)] * 3000,
                                          prop(0x1000, STRING8, b"the last"))), text(b"the last")),
    "rtf-no-end": (stream(properties(prop(0x1009, BINARY, rtf_compressed(b"abcdefg")[:-2]))),
                   rtf(b"abcdefg") + damage("the compressed RTF is malformed")),

    # What is broken: the rest is read all the same.
    "checksum": (stream(attribute(SUBJECT, b"subject\0", checksum=1), BODY_TEXT),
                 subject(b"subject") + text(b"The body: [SECRET]")
                 + damage("the checksum of a TNEF attribute is wrong")),
    "truncated": (stream(attribute(SUBJECT, b"subject\0"), BODY_TEXT)[:-8],
                  subject(b"subject") + text(b"The body: [SE")
                  + damage("the TNEF stream ends within an attribute")),
    "truncated-head": (stream(BODY_TEXT) + b"\1\2\3",
                       text(b"The body: [SECRET]")
                       + damage("the TNEF stream ends within an attribute")),
    "noise-behind": (stream(BODY_TEXT) + b"noise", text(b"The body: [SECRET]")
                     + damage("the TNEF attributes cannot be followed")),
    "too-many-properties": (stream(properties(prop(0x1000, STRING8, b"text"), count=0xffffffff),
                                   BODY_TEXT),
                            text(b"text") + text(b"The body: [SECRET]")
                            + damage("the MAPI properties cannot be followed")),
    "property-too-long": (stream(properties(
        prop(0x0037, STRING8, b"subject"),
        struct.pack("<HHII", STRING8, 0x1000, 1, 0xfffffff0) + b"text"), BODY_TEXT),
        subject(b"subject") + text(b"The body: [SECRET]")
        + damage("the MAPI properties cannot be followed")),
    "property-unknown": (stream(properties(struct.pack("<HHI", 0x4711, 0x1000, 1)), BODY_TEXT),
                         text(b"The body: [SECRET]")
                         + damage("the MAPI properties cannot be followed")),
    "properties-empty": (stream(attribute(PROPERTIES, b"\1\0"), BODY_TEXT),
                         text(b"The body: [SECRET]")
                         + damage("the MAPI properties cannot be followed")),
    "rtf-crc": (stream(properties(prop(0x1009, BINARY, rtf_compressed(RTF, crc=1)))),
                rtf(RTF) + damage("the checksum of the compressed RTF is wrong")),
    "rtf-short": (stream(properties(prop(0x1009, BINARY, rtf_compressed(RTF, raw_size=9999)))),
                  rtf(RTF) + damage("the compressed RTF is malformed")),
    "rtf-unknown": (stream(properties(prop(0x1009, BINARY, b"\0" * 20)), BODY_TEXT),
                    rtf(b"") + text(b"The body: [SECRET]")
                    + damage("the compressed RTF is malformed")),
    "rtf-head": (stream(properties(prop(0x1009, BINARY, b"\0" * 3)), BODY_TEXT),
                 rtf(b"") + text(b"The body: [SECRET]")
                 + damage("the compressed RTF is malformed")),
    "nested": (nested(8), text(b"the innermost", depth=8)),
    "nested-too-deep": (stream(attachment(attached(attached_message(nested(8)))), BODY_TEXT),
                        text(b"The body: [SECRET]") + damage("messages are nested too deeply")),
    "no-message-in-message": (stream(attachment(attached(attached_message(b"none"))), BODY_TEXT),
                              text(b"The body: [SECRET]") + damage("no TNEF signature")),

    # What is none.
    "empty": (b"", "malformed\n"),
    "not-tnef": (b"MIME-Version: 1.0\r\n\r\n[SECRET]\r\n", "malformed\n"),
    "signature-alone": (stream()[:4], "malformed\n"),
    "nothing-in-it": (stream(), ""),
}


def main():
    for old in list(HERE.glob("*.tnef")) + list(HERE.glob("*.parts")):
        old.unlink()
    for name, (tnef, parts) in VECTORS.items():
        (HERE / f"{name}.tnef").write_bytes(tnef)
        (HERE / f"{name}.parts").write_text(parts)


if __name__ == "__main__":
    main()
