"""Writes what Outlook and Exchange write: TNEF streams (MS-OXTNEF) and compressed RTF (MS-OXRTFCP)."""
import struct
import zlib

# Attributes of a stream.
SUBJECT, BODY, MESSAGE_CLASS = 0x18004, 0x2800c, 0x78008
PROPERTIES, RECIPIENTS = 0x69003, 0x69004
ATTACH_RENDERING, ATTACH_TITLE, ATTACH_DATA, ATTACH_PROPERTIES = 0x69002, 0x18010, 0x6800f, 0x69005
VERSION, OEM_CODEPAGE = 0x89006, 0x69007

# Types of MAPI properties.
I2, LONG, R4, DOUBLE, CURRENCY, APPTIME, ERROR, BOOLEAN = 2, 3, 4, 5, 6, 7, 0xa, 0xb
OBJECT, I8, STRING8, UNICODE, SYSTIME, CLSID, BINARY = 0xd, 0x14, 0x1e, 0x1f, 0x40, 0x48, 0x102
MULTIPLE = 0x1000

IID_MESSAGE = bytes.fromhex("0703020000000000c000000000000046")
IID_STORAGE = bytes.fromhex("0b00000000000000c000000000000046")
PSETID_APPOINTMENT = bytes.fromhex("0220060000000000c000000000000046")
PS_PUBLIC_STRINGS = bytes.fromhex("2903020000000000c000000000000046")
PS_INTERNET_HEADERS = bytes.fromhex("8603020000000000c000000000000046")


def attribute(ident, data, level=1, checksum=None):
    if checksum is None:
        checksum = sum(data) & 0xffff
    return struct.pack("<BII", level, ident, len(data)) + data + struct.pack("<H", checksum)


def stream(*attributes, codepage=1252, key=1):
    head = attribute(VERSION, struct.pack("<I", 0x10000))
    if codepage is not None:
        head += attribute(OEM_CODEPAGE, struct.pack("<II", codepage, 0))
    return struct.pack("<IH", 0x223e9f78, key) + head + b"".join(attributes)


def padded(data):
    return data + bytes(-len(data) % 4)


def value(kind, data):
    """One value as a list of properties has it; strings get the zero that ends them."""
    if kind == UNICODE:
        data = data.encode("utf-16-le") + b"\0\0"
    elif kind == STRING8:
        data += b"\0"
    if kind in (UNICODE, STRING8, BINARY, OBJECT):
        return struct.pack("<I", len(data)) + padded(data)
    form = {I2: "<hxx", LONG: "<i", R4: "<f", DOUBLE: "<d", CURRENCY: "<q", APPTIME: "<d",
            ERROR: "<i", BOOLEAN: "<?xxx", I8: "<q", SYSTIME: "<q", CLSID: "16s"}[kind]
    return struct.pack(form, data)


def prop(ident, kind, data, name=None):
    """name: (GUID, number or text) of a property from 0x8000 on. A list has several values."""
    values = data if isinstance(data, list) else [data]
    out = struct.pack("<HH", kind | (MULTIPLE if isinstance(data, list) else 0), ident)
    if name:
        guid, which = name
        out += guid
        if isinstance(which, int):
            out += struct.pack("<II", 0, which)
        else:
            text = which.encode("utf-16-le") + b"\0\0"
            out += struct.pack("<II", 1, len(text)) + padded(text)
    if isinstance(data, list) or kind in (UNICODE, STRING8, BINARY, OBJECT):
        out += struct.pack("<I", len(values))
    return out + b"".join(value(kind, one) for one in values)


def properties(*props, count=None, ident=PROPERTIES, level=1):
    body = struct.pack("<I", len(props) if count is None else count) + b"".join(props)
    return attribute(ident, body, level)


def attachment(*attributes):
    """Of (identifier, data); begins as every attachment does."""
    return (attribute(ATTACH_RENDERING, struct.pack("<HIHHI", 1, 0xffffffff, 32, 32, 0), 2)
            + b"".join(attribute(ident, data, 2) for ident, data in attributes))


def attached(*props):
    """An attachment's properties, as its attribute."""
    return ATTACH_PROPERTIES, struct.pack("<I", len(props)) + b"".join(props)


def attached_message(tnef):
    return prop(0x3701, OBJECT, IID_MESSAGE + tnef)


WINDOW = (rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript "
          rb"\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
          b"\r\n" rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx")


def rtf_stored(rtf):
    return struct.pack("<III", len(rtf) + 12, len(rtf), 0x414c454d) + bytes(4) + rtf


def rtf_compressed(rtf, crc=None, raw_size=None):
    """Longest matches in the 4096 bytes before; a match does not run into itself."""
    seen, seats = bytearray(WINDOW), {}
    for i in range(len(seen) - 2):
        seats.setdefault(bytes(seen[i:i + 3]), []).append(i)
    out, tokens, flags = bytearray(), [], 0

    def emit(token, reference):
        nonlocal flags
        flags |= reference << len(tokens)
        tokens.append(token)
        if len(tokens) == 8:
            close()

    def close():
        nonlocal flags
        if tokens:
            out.append(flags)
            for token in tokens:
                out.extend(token)
            tokens.clear()
            flags = 0

    at = 0
    while at < len(rtf):
        best, length = 0, 0
        for i in reversed(seats.get(bytes(rtf[at:at + 3]), [])[-64:]):
            if i <= len(seen) - 4096:
                break
            n = 3
            while (n < 17 and at + n < len(rtf) and i + n < len(seen)
                   and seen[i + n] == rtf[at + n]):
                n += 1
            if n > length:
                best, length = i, n
        step = length or 1
        if length:
            emit(struct.pack(">H", best % 4096 << 4 | length - 2), 1)
        else:
            emit(rtf[at:at + 1], 0)
        for i in range(at, at + step):
            seen.append(rtf[i])
            if len(seen) >= 3:
                seats.setdefault(bytes(seen[-3:]), []).append(len(seen) - 3)
        at += step
    emit(struct.pack(">H", len(seen) % 4096 << 4), 1)
    close()
    if crc is None:
        crc = zlib.crc32(out, 0xffffffff) ^ 0xffffffff
    raw = len(rtf) if raw_size is None else raw_size
    return struct.pack("<IIII", len(out) + 12, raw, 0x75465a4c, crc) + bytes(out)
