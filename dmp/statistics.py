"""The counters of the DMP, from narrow tables that name no document. DMP 1 (S07 to S10, S18, S31, S34 to S37)."""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from dmp.record import Act
from dmp.sql import usage
from schemas import resource
from storage.unit_of_work import UnitOfWork

_YOUNGEST, _OLDEST, _BAND = 15, 75, 5
_BEGINNING = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number: which counter, of which group; `share` of the counter's total in %, or none that makes sense."""

    requirement: str
    counter: str
    group: str
    number: int
    share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `since` until just before `until`, DTM or a beginning of it. Cumulated counters begin with the first day."""

    since: str
    until: str


Counter = Callable[[UnitOfWork, Period], Iterator[Figure]]


def figures(unit: UnitOfWork, period: Period, *, detailed: bool = False) -> tuple[Figure, ...]:
    """Every counter; `detailed` adds those for each professional and structure (S34)."""
    chosen = (*COUNTERS, *DETAILED) if detailed else COUNTERS
    return tuple(figure for counter in chosen for figure in counter(unit, period))


def age_band(age: int) -> str:
    """One of the 14 bands of the deck; `unknown` where no birth date was given. DMP 1 (S08)"""
    if age < 0:
        return "unknown"
    if age < _YOUNGEST:
        return f"under {_YOUNGEST}"
    if age >= _OLDEST:
        return f"{_OLDEST} and over"
    first = age - age % _BAND
    return f"{first}-{first + _BAND - 1}"


def _shared(requirement: str, counter: str, rows: Iterable[tuple[str, int]]) -> Iterator[Figure]:
    """Groups of one total, each with its share of it."""
    found = list(rows)
    total = sum(number for _, number in found)
    for group, number in found:
        share = round(100 * number / total, 1)
        yield Figure(requirement=requirement, counter=counter, group=group, number=number, share=share)


def _plain(requirement: str, counter: str, rows: Iterable[tuple[str, int]]) -> Iterator[Figure]:
    for group, number in rows:
        yield Figure(requirement=requirement, counter=counter, group=group or "unknown", number=number)


def creations_by_channel(unit: UnitOfWork, period: Period) -> Iterator[Figure]:
    rows = usage.creations(unit.connection, "channel", _BEGINNING, period.until)
    yield from _shared("S07", "creations by channel", rows)


def creations_by_age(unit: UnitOfWork, period: Period) -> Iterator[Figure]:
    bands: dict[str, int] = {}
    for age, number in usage.creations(unit.connection, "age", _BEGINNING, period.until):
        bands[age_band(int(age))] = bands.get(age_band(int(age)), 0) + number
    yield from _shared("S08", "creations by age", bands.items())


def creations_over_time(unit: UnitOfWork, period: Period) -> Iterator[Figure]:
    """Cumulated at the end of each month that the period has a day of, from the first creation on."""
    created = dict(usage.creations_by_month(unit.connection, _BEGINNING, period.until))
    cumulated = sum(number for month, number in created.items() if month < period.since[:6])
    for month in months(period):
        cumulated += created.get(month, 0)
        if cumulated:
            yield Figure(requirement="S09", counter="creations cumulated", group=month, number=cumulated)


def months(period: Period) -> Iterator[str]:
    """YYYYMM of each month that the period has a day of."""
    year, month = int(period.since[:4]), int(period.since[4:6] or 1)
    while f"{year:04}{month:02}01" < period.until[:8]:
        yield f"{year:04}{month:02}"
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)


def creations_by_territory(unit: UnitOfWork, period: Period) -> Iterator[Figure]:
    rows = usage.creations(unit.connection, "territory", _BEGINNING, period.until)
    yield from _shared("S10", "creations by territory", ((group or "unknown", number) for group, number in rows))


def oppositions(unit: UnitOfWork, period: Period) -> Iterator[Figure]:
    """Persons informed and persons who opposed, in the period."""
    informed, opposed = (
        usage.persons_by_act(unit.connection, str(act), period.since, period.until) for act in (Act.INFORM, Act.OPPOSE)
    )
    yield Figure(requirement="S18", counter="oppositions", group="informed", number=informed)
    share = round(100 * opposed / informed, 1) if informed else None
    yield Figure(requirement="S18", counter="oppositions", group="opposed", number=opposed, share=share)


def expected_types(unit: UnitOfWork, period: Period) -> Iterator[Figure]:
    """Of those that fed something, how many fed a document of a type that is expected of them."""
    with resource("policy/expected_types.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            types = row["types"].split(";")
            specialities = row["specialities"].split(";") if row["specialities"] else ()
            since, until = period.since, period.until
            if row["profession"]:
                fitting, all_feeders = usage.expected_feeders(
                    unit.connection, row["profession"], specialities, types, since, until
                )
            else:
                sectors = row["sectors"].split(";")
                fitting, all_feeders = usage.expected_structures(unit.connection, sectors, types, since, until)
            share = round(100 * fitting / all_feeders, 1) if all_feeders else None
            yield Figure(
                requirement="S31", counter="fed an expected type", group=row["label"], number=fitting, share=share
            )


def feeders(unit: UnitOfWork, period: Period) -> Iterator[Figure]:
    for column in ("profession", "speciality", "sector"):
        rows = usage.feeders(unit.connection, column, period.since, period.until)
        yield from _plain("S35", f"feeders by {column}", rows)


def readers(unit: UnitOfWork, period: Period) -> Iterator[Figure]:
    for column in ("profession", "speciality", "sector"):
        rows = usage.readers(unit.connection, column, period.since, period.until)
        yield from _plain("S36", f"readers by {column}", rows)


def documents_by_origin(unit: UnitOfWork, period: Period) -> Iterator[Figure]:
    yield from _documents(unit, period, "origin", "documents by origin")


def documents_by_type(unit: UnitOfWork, period: Period) -> Iterator[Figure]:
    yield from _documents(unit, period, "type_code", "documents by type")


def _documents(unit: UnitOfWork, period: Period, column: str, counter: str) -> Iterator[Figure]:
    rows = usage.fed(unit.connection, (column,), period.since, period.until)
    yield from _shared("S37", counter, ((str(group), number) for group, number in rows))


def of_each_actor(unit: UnitOfWork, period: Period) -> Iterator[Figure]:
    """Creations, documents fed and records read of each professional and each structure. DMP 1 (S34)"""
    since, until = period.since, period.until
    for column in ("actor", "structure"):
        created = usage.creations(unit.connection, column, since, until)
        fed = [(str(who), number) for who, number in usage.fed(unit.connection, (column,), since, until)]
        read = usage.records_read(unit.connection, column, since, until)
        for counter, rows in (("creations", created), ("documents fed", fed), ("records read", read)):
            yield from _plain("S34", f"{counter} by {column}", ((who, number) for who, number in rows if who))


COUNTERS: tuple[Counter, ...] = (
    *(creations_by_channel, creations_by_age, creations_over_time, creations_by_territory),
    *(oppositions, expected_types, feeders, readers, documents_by_origin, documents_by_type),
)
DETAILED: tuple[Counter, ...] = (of_each_actor,)
