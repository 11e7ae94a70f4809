"""Times of assertions: xs:dateTime with a zone. XML Schema Part 2: 3.2.7, SAML Core: 1.3.3."""

import re
from datetime import UTC, datetime, timedelta, timezone

_DATE_TIME = re.compile(
    r"\s*(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))?(?:Z|([+-])(\d\d):(\d\d))\s*\Z", re.ASCII
)


def read_time(text: str) -> datetime:
    """In UTC, to the microsecond. Raises ValueError; a leap second, a year beyond 9999 and hour 24 are refused."""
    found = _DATE_TIME.match(text)
    if found is None:
        raise ValueError("expected a date and time with its zone, such as 2026-03-10T09:30:00Z")
    year, month, day, hour, minute, second = (int(one) for one in found.groups()[:6])
    microsecond = int((found[7] or "0").ljust(6, "0")[:6])
    local = datetime(year, month, day, hour, minute, second, microsecond, tzinfo=_zone(found))
    try:
        return local.astimezone(UTC)
    except OverflowError:
        raise ValueError("expected a year from 1 to 9999 in UTC") from None


def _zone(found: re.Match[str]) -> timezone:
    if found[8] is None:
        return UTC
    hours, minutes = int(found[9]), int(found[10])
    if hours > 14 or minutes > 59:
        raise ValueError("expected a zone from -14:00 to +14:00")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(offset if found[8] == "+" else -offset)


def write_time(time: datetime) -> str:
    """UTC to the second, or to the millisecond where it has a fraction."""
    time = time.astimezone(UTC)
    return time.isoformat(timespec="milliseconds" if time.microsecond else "seconds").replace("+00:00", "Z")
