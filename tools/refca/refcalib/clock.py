"""The CA's time: real time, and where a clock file is named, the offset in seconds in its first line
(the format of the daemons' settable clock). Times are naive UTC, as the library wants them."""
import datetime as dt
import re
from pathlib import Path

_file = None


def set_file(path) -> None:
    global _file
    _file = Path(path) if path else None


def offset() -> int:
    """Read anew each time. No file, or none that can be read, is no offset, as in the daemons."""
    if _file is None:
        return 0
    try:
        line = _file.read_text("ascii", errors="replace").partition("\n")[0]
    except OSError:
        return 0
    number = re.match(r"\s*[+-]?\d+", line)
    return int(number[0]) if number else 0


def now() -> dt.datetime:
    return real_now() + dt.timedelta(seconds=offset())


def real_now() -> dt.datetime:
    """For TLS, which knows no clock but the machine's."""
    return dt.datetime.utcnow().replace(microsecond=0)


def seconds(time: dt.datetime) -> int:
    return int(time.replace(tzinfo=dt.timezone.utc).timestamp())


def from_seconds(value: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(value, dt.timezone.utc).replace(tzinfo=None)


def iso(value) -> str:
    """Of seconds; None stays None."""
    return None if value is None else from_seconds(value).isoformat() + "Z"
