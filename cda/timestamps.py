"""Times of a CDA, with an offset, to times of the metadata, in UTC. ITI TF-3: Table 4.2.3.1.7-2"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from xds.datatypes import DTM

_TS = re.compile(r"(?P<digits>\d{4}(?:\d\d){0,5})(?:\.\d+)?(?:(?P<sign>[+-])(?P<offset>\d{1,4}))?\Z", re.ASCII)
_DATE_DIGITS = 8
_MINUTE_DIGITS = 12
_LOCAL_ZONE = "Europe/Paris"


class Timestamp(NamedTuple):
    """A point in time in UTC. `is_zone_assumed`: an hour stood there without its offset."""

    dtm: DTM
    is_zone_assumed: bool


def read_timestamp(value: str) -> Timestamp:
    """A TS of HL7 v3, `YYYY[MM[DD[hh[mm[ss[.f]]]]]][±hh[mm]]`, in UTC. ValueError when it is none.

    A date keeps its digits: without an hour there is nothing to convert. The precision stays, but
    for an hour whose offset has minutes, which gets its minutes. Fractions of a second are cut.
    """
    match = _TS.match(value)
    if match is None:
        raise ValueError("expected YYYY[MM[DD[hh[mm[ss]]]]] with an offset such as +0100")
    local = DTM.parse(match["digits"])
    if len(local.text) <= _DATE_DIGITS:
        return Timestamp(local, is_zone_assumed=False)
    zone = _zone(match["sign"], match["offset"])
    return Timestamp(_to_utc(local, zone), is_zone_assumed=match["sign"] is None)


def _zone(sign: str | None, offset: str | None) -> tzinfo:
    """The offset filled with zeros to its right, or the zone of the French territory."""
    if sign is None or offset is None:
        return ZoneInfo(_LOCAL_ZONE)
    digits = offset.ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise ValueError("expected an offset of at most 23 hours and 59 minutes")
    span = timedelta(hours=hours, minutes=minutes)
    return timezone(span if sign == "+" else -span)


def _to_utc(local: DTM, zone: tzinfo) -> DTM:
    text = local.earliest
    month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(4, len(text), 2))
    try:
        moment = datetime(int(text[:4]), month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("expected a time within the years 1 to 9999") from error
    digits = len(local.text) if moment.minute == 0 else max(len(local.text), _MINUTE_DIGITS)
    return DTM(f"{moment.year:04}{moment:%m%d%H%M%S}"[:digits])
