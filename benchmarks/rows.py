"""Rows of the registry's tables for submissions of a data set, as the registry's own code renders them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Table

from benchmarks.documents import Documents, stored
from benchmarks.particulars import Particulars, Shape, patient_key
from benchmarks.plan import Plan, Sizes
from benchmarks.templates import Row, TableRow, Template
from fhir_facade.rendering import render_fhir
from registry.sql import objects
from registry.sql.tables import identity, object_value, patient, registry_object
from registry.sql.texts import DEFLATED, readable_texts_of
from storage.deflated import deflated
from xds.ebrim.write import write_object
from xds.metadata import Association, RegistryObject

PATIENT, OBJECT, IDENTITY, VALUE = patient, registry_object, identity, object_value
TABLES = (OBJECT, IDENTITY, VALUE)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of some submissions that follow each other, by table, columns in the order of the table."""

    first: int
    submissions: int
    rows: dict[str, list[Row]] = field(default_factory=dict)


def columns(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns)


_TEXTS = tuple(columns(OBJECT).index(name) for name in DEFLATED)
_IN_ORDER = {table.name: itemgetter(*columns(table)) for table in TABLES}


class RowMaker:
    """Makes rows from sizes alone, so that any process can make any part."""

    def __init__(self, sizes: Sizes) -> None:
        self._plan = Plan(sizes)
        self._documents = Documents(self._plan)
        self._template = cache(self._made_template)

    def patients(self) -> list[Row]:
        """Every patient identifier of the plan."""
        return [
            (patient_key(number), cx.authority, cx.id, None)
            for number in range(self._plan.sizes.patient_count)
            for cx in (self._documents.patient(number).ins,)
        ]

    def batch(self, first: int, last: int) -> Batch:
        """The submissions from `first` up to, not including, `last`."""
        batch = Batch(first, last - first, {table.name: [] for table in TABLES})
        for number in range(first, last):
            for name, row in map(_as_kept, self._rows(number)):
                batch.rows[name].append(row)
        return batch

    def rendered(self, number: int) -> Iterator[TableRow]:
        """(table, row) of one submission, rendered for itself: what a template has to give."""
        return map(_as_kept, self._rendered(number))

    def _rendered(self, number: int) -> Iterator[TableRow]:
        return _rows(self._documents.stored(number), self._documents.draw.particulars(number))

    def _rows(self, number: int) -> Iterator[TableRow]:
        if self._documents.is_held(number):  # its entry is read from the document
            return self._rendered(number)
        return self._template(self._documents.draw.shape(number)).rows(self._documents.draw.particulars(number))

    def _made_template(self, shape: Shape) -> Template:
        def render(particulars: Particulars) -> Iterator[TableRow]:
            entry = self._documents.entry_of(shape, particulars)
            submission = self._documents.submission_of(shape, particulars, entry)
            return _rows(stored(submission, shape, particulars), particulars)

        return Template(render)


def _as_kept(row: TableRow) -> TableRow:
    """The row with its texts deflated."""
    name, cells = row
    if name != OBJECT.name:
        return row
    kept = list(cells)
    for place in _TEXTS:
        if (text := kept[place]) is not None:
            kept[place] = deflated(text)
    return name, tuple(kept)


def _rows(things: Sequence[RegistryObject], particulars: Particulars) -> Iterator[TableRow]:
    for name, row in _named_rows(things, particulars):
        yield name, _IN_ORDER[name](row)


def _named_rows(things: Sequence[RegistryObject], particulars: Particulars) -> Iterator[tuple[str, dict[str, Any]]]:
    links = [thing for thing in things if isinstance(thing, Association)]
    for object_key, thing in enumerate(things, start=particulars.object_key):
        row = objects.row_of(
            thing,
            patient_key=particulars.patient_key,
            object_key=object_key,
            submission_key=particulars.object_key,
        )
        row |= _rendered(thing, [link for link in links if link.source == thing.entry_uuid], particulars.came)
        yield OBJECT.name, row
        for name in objects.identities_of(thing, row):
            yield IDENTITY.name, name
        keys = {"patient_key": particulars.patient_key, "object_key": object_key}
        for attribute, value in objects.values_of(thing):
            yield VALUE.name, {**keys, "attribute": attribute, "value": value}


def _rendered(thing: RegistryObject, links: Sequence[Association], updated: str) -> dict[str, Any]:
    fhir = None if isinstance(thing, Association) else render_fhir(thing, links, updated)
    return readable_texts_of(thing, ebrim=write_object(thing), fhir=fhir, updated=updated)
