"""Rows of the registry's tables for submissions of a data set, rendered by the registry's own code."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from sqlalchemy import Table

from benchmarks.documents import Documents
from benchmarks.plan import Plan, Sizes
from fhir_facade.document_reference import to_document_reference
from registry.sql import objects
from registry.sql.tables import identity, object_value, patient, registry_object
from xds.ebrim.write import write_object
from xds.metadata import Association, DocumentEntry, RegistryObject
from xds.metadata_json import to_json

Row = tuple[Any, ...]
PATIENT, OBJECT, IDENTITY, VALUE = patient, registry_object, identity, object_value
_TABLES = (OBJECT, IDENTITY, VALUE)
# Keys as `storage.keys` makes them: milliseconds since 2020 above 22 bits.
_LOW_BITS, _EPOCH_SECONDS = 22, 1_577_836_800
_KEYS_PER_SUBMISSION = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of some submissions that follow each other, by table, columns in the order of the table."""

    first: int
    submissions: int
    rows: dict[str, list[Row]] = field(default_factory=dict)


class RowMaker:
    """Makes rows from sizes alone, so that any process can make any part."""

    def __init__(self, sizes: Sizes) -> None:
        self._plan = Plan(sizes)
        self._documents = Documents(self._plan)

    def patients(self) -> list[Row]:
        """Every patient identifier of the plan."""
        return [
            (self.patient_key(number), cx.authority, cx.id, None)
            for number in range(self._plan.sizes.patient_count)
            for cx in (self._documents.patient(number).ins,)
        ]

    def batch(self, first: int, last: int) -> Batch:
        """The submissions from `first` up to, not including, `last`."""
        batch = Batch(first, last - first, {table.name: [] for table in _TABLES})
        in_order = {table.name: itemgetter(*columns(table)) for table in _TABLES}
        for number in range(first, last):
            for name, row in self._rows(number):
                batch.rows[name].append(in_order[name](row))
        return batch

    def patient_key(self, number: int) -> int:
        return (number + 1) << _LOW_BITS

    def _rows(self, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
        things = self._documents.stored(number)
        patient_key = self.patient_key(self._plan.order[number])
        links = [thing for thing in things if isinstance(thing, Association)]
        submission_key = self._key(number, 0)
        for place, thing in enumerate(things):
            row = objects.row_of(
                thing, patient_key=patient_key, object_key=self._key(number, place), submission_key=submission_key
            )
            row |= self._rendered(thing, [link for link in links if link.source == thing.entry_uuid], number)
            yield OBJECT.name, row
            for name in objects.identities_of(thing, row):
                yield IDENTITY.name, name
            keys = {"patient_key": patient_key, "object_key": row["object_key"]}
            for attribute, value in objects.values_of(thing):
                yield VALUE.name, {**keys, "attribute": attribute, "value": value}

    def _rendered(self, thing: RegistryObject, links: Sequence[Association], number: int) -> dict[str, Any]:
        updated = self._documents.time(number)
        fhir = to_document_reference(thing, links, updated) if isinstance(thing, DocumentEntry) else None
        return {"attributes": to_json(thing).decode(), "ebrim": write_object(thing), "fhir": fhir}

    def _key(self, number: int, place: int) -> int:
        """Grows with the time of the submission; the low bits tell its objects apart."""
        milliseconds = int((self._documents.moment(number).timestamp() - _EPOCH_SECONDS) * 1000)
        low = (number * _KEYS_PER_SUBMISSION + place) & (1 << _LOW_BITS) - 1
        return milliseconds << _LOW_BITS | low


def columns(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns)
