"""Times on both sides: DTM in XDS, dateTime and search values in FHIR, all UTC. MHD 3:4.2.3.2."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from xds.datatypes import DTM

_SEARCH = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?\Z")
_END_OF_TIME = "99999999999999"  # later than every DTM
_LAST, _DIGITS = "99991231235959", "%Y%m%d%H%M%S"


def to_date_time(time: DTM) -> str:
    """dateTime with the precision of the DTM; hours and minutes alone have no FHIR form and are filled up."""
    text = time.text
    if len(text) <= 8:
        return "-".join(part for part in (text[:4], text[4:6], text[6:8]) if part)
    return to_instant(time)


def to_instant(time: DTM) -> str:
    text = time.earliest
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}Z"


def to_http_date(instant: str) -> str:
    """The form of Last-Modified of an instant. RFC 9110: 5.6.7"""
    return format_datetime(datetime.fromisoformat(instant).astimezone(UTC), usegmt=True)


def to_date(text: str) -> str:
    """date of a DTM text such as PID-7."""
    return to_date_time(DTM.parse(text[:8]))


def from_date_time(text: str) -> DTM:
    """DTM of a FHIR date, dateTime or instant, in UTC; fractions of a second are cut off. Raises ValueError."""
    match = _SEARCH.match(text)
    if match is None:
        raise ValueError("expected a date, or a date and time with a zone")
    if match[4] is None:
        return DTM.parse(text.replace("-", ""))
    return DTM.parse(_digits(_start(text)[0]))


def search_range(text: str) -> tuple[str, str]:
    """The range a date search value means, [first second, first second after), 14 digits UTC.

    A value without time zone is UTC. Raises ValueError.
    """
    start, precision = _start(text)
    return _digits(start), _after(start, precision)


def _start(text: str) -> tuple[datetime, int]:
    """The first second of a date search value, and how many of its six parts it has. Raises ValueError."""
    match = _SEARCH.match(text)
    if match is None:
        raise ValueError("expected a date such as 2026, 2026-03, 2026-03-10 or 2026-03-10T09:30:00Z")
    year, month, day, hour, minute, second, zone = match.groups()
    parts = [int(part) for part in (year, month, day, hour, minute, second) if part]
    offset = "+00:00" if zone in (None, "Z") else zone
    try:
        start = datetime.fromisoformat(f"{_first(parts).isoformat()}{offset}").astimezone(UTC)
    except OverflowError:
        raise ValueError("expected a date within the years 1 to 9999") from None
    return start, len(parts)


def widened(first: str, after: str, now: str) -> tuple[str, str]:
    """What is approximately in a range: a tenth of the time between it and now on either side. FHIR R4 3.1.1.4.6"""
    given = (first, min(after, _LAST), now[:14])
    begins, ends, present = (datetime.strptime(one, _DIGITS).replace(tzinfo=UTC) for one in given)
    margin = max(begins - present, present - ends, timedelta(0)) / 10
    try:
        return _digits(begins - margin), _digits(ends + margin)
    except OverflowError:
        return "", _END_OF_TIME


def _first(parts: list[int]) -> datetime:
    year, month, day, hour, minute, second = parts + [0, 1, 1, 0, 0, 0][len(parts) :]
    return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the zone is added as text


def _after(start: datetime, precision: int) -> str:
    try:
        return _digits(_next(start, precision))
    except (OverflowError, ValueError):
        return _END_OF_TIME


def _next(start: datetime, precision: int) -> datetime:
    if precision == 1:
        return start.replace(year=start.year + 1)
    if precision == 2:
        return (start.replace(day=1) + timedelta(days=32)).replace(day=1)
    return start + {3: timedelta(days=1), 5: timedelta(minutes=1)}.get(precision, timedelta(seconds=1))


def _digits(moment: datetime) -> str:
    return f"{moment.year:04}{moment:%m%d%H%M%S}"
