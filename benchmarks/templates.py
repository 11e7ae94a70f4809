"""Rows rendered once for all submissions of one shape, cut where their particulars stand.

The rows of a made-up submission are rendered by the registry's own code; wherever one of its
particulars is found in them, in one of the forms it may be written in, a gap is left. Before a template
is used it has to give, for a second made-up submission, exactly what the registry's own code renders.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, count, product, takewhile
from operator import attrgetter
from typing import Any

from benchmarks.particulars import Particulars, Patient
from fhir_facade.times import to_date, to_instant
from xds.datatypes import DTM
from xds.ebrim.write import part_id
from xds.identifiers import UUID_PREFIX

Row = tuple[Any, ...]
TableRow = tuple[str, Row]
Render = Callable[[Particulars], Iterable[TableRow]]
Writing = Callable[[Particulars], str]
_PART = re.compile(
    r' id="urn:uuid:[^"]+"[^>]* (?:classificationScheme|classificationNode|identificationScheme)="([^"]+)"'
)
_GENDERS = {"F": '"gender":"female"', "M": '"gender":"male"'}
_OBJECTS_AT_MOST = 8
# Between the parts of a cell, and between cells: no text of metadata has them.
_GAP, _END = "\0", "\1"

# Nothing in these is found in anything else that a row says.
_SAMPLE_PATIENT = Patient(
    ins_number="177056666123457",
    local_number="8866553",
    local_authority="2.25.48719753186",
    family="ESSAI-KWYJIBO",
    given="ZOUZOUNE",
    further="FIRMINOU",
    birth="19410717",
    sex="F",
    street="86 Rue du Gabarit",
    town="TROU-SUR-MARQUE",
    postcode="99887",
    phone="0261999876543",
)
SAMPLE = Particulars(
    patient=_SAMPLE_PATIENT,
    patient_key=7_531_000_001,
    object_key=86_420_000_000,
    entry="11112222-3333-4444-8555-666677778888",
    unique_id="2.25.111122223333",
    submission_set="21112222-3333-4444-8555-666677778888",
    submission_set_id="2.25.222233334444",
    member="31112222-3333-4444-8555-666677778888",
    replacement="41112222-3333-4444-8555-666677778888",
    replaced="51112222-3333-4444-8555-666677778888",
    came="19510203040506",
    created="19520304050607",
    started="19530405060708",
    stopped="19540506070809",
    day="29/02/1956",
    hash="0123456789abcdef0123456789abcdef01234567",
    size=1_987_654_321,
    order="975318642",
)
_OTHER_PATIENT = Patient(
    ins_number="299129999654321",
    local_number="1133557",
    local_authority="2.25.487102",
    family="ESSAI-BÉRÉZINA",
    given="MAËLLE",
    further="ÉLOÏSE",
    birth="19991231",
    sex="M",
    street="7 Avenue de l'Épreuve",
    town="PORT-ÉPREUVE",
    postcode="01002",
    phone="0261910099",
)
_OTHER = replace(
    SAMPLE,
    patient=_OTHER_PATIENT,
    patient_key=1 << 22,
    object_key=7 << 40,
    **{
        name: f"{number}aaabbbb-cccc-4ddd-8eee-ffff00001111"
        for number, name in enumerate(("entry", "submission_set", "member", "replacement", "replaced"))
    },
    unique_id="2.25.9",
    submission_set_id="2.25.98",
    came="20211231235959",
    created="20211231235001",
    started="20211130000000",
    stopped="20211130001500",
    day="31/12/2021",
    hash="fedcba9876543210fedcba9876543210fedcba98",
    size=4_001,
    order="000000012",
)


class TemplateDiffers(AssertionError):
    """A template does not give what the registry's own code renders: the text says where."""


class Template:
    """The rows of every submission of one shape. Raises TemplateDiffers."""

    def __init__(self, render: Render) -> None:
        rows = list(render(SAMPLE))
        self._cells = _Cells(rows)
        self._rows = [(table, row, tuple(self._cells.gaps(row))) for table, row in rows]
        self._check(render)

    def rows(self, particulars: Particulars) -> Iterator[TableRow]:
        """(table, row) of the submission with these particulars."""
        cells = self._cells.filled(particulars)
        for table, model, gaps in self._rows:
            row = list(model)
            for place, number in gaps:
                row[place] = cells[number]
            yield table, tuple(row)

    def _check(self, render: Render) -> None:
        for made, (table, wanted) in zip(self.rows(_OTHER), render(_OTHER), strict=True):
            if made != (table, wanted):
                differing = [pair for pair in zip(made[1], wanted, strict=True) if pair[0] != pair[1]]
                raise TemplateDiffers(f"{table}: found {differing[0][0]!r}, expected {differing[0][1]!r}")


class _Cells:
    """The cells that have something of the sample in them, each once, and how any submission fills them."""

    def __init__(self, rows: Sequence[TableRow]) -> None:
        found = {write(SAMPLE): write for write in (*_plain(), *_derived(rows))}
        split = re.compile(f"({'|'.join(map(re.escape, sorted(found, key=len, reverse=True)))})").split
        cells = dict.fromkeys(chain.from_iterable(row for _, row in rows))
        texts = {cell: split(cell) for cell in cells if isinstance(cell, str)}
        octets = {cell: split(cell.decode()) for cell in cells if isinstance(cell, bytes)}
        opened = {cell: parts for cell, parts in (*texts.items(), *octets.items()) if len(parts) > 1}
        numbers = {number: read for number, read in _numbers() if number in cells}
        self._read_numbers = tuple(numbers.values())
        self._first_octets = sum(isinstance(cell, str) for cell in opened)
        self._places = {cell: place for place, cell in enumerate((*opened, *numbers))}
        self._parts = _END.join(_GAP.join(parts) for parts in opened.values()).split(_GAP)
        used = dict.fromkeys(self._parts[1::2])
        self._writings = tuple(found[text] for text in used)
        places = {text: place for place, text in enumerate(used)}
        self._gaps = [places[part] for part in self._parts[1::2]]

    def gaps(self, row: Row) -> Iterator[tuple[int, int]]:
        """(place in the row, number of the cell) of the cells to fill."""
        return ((place, self._places[cell]) for place, cell in enumerate(row) if cell in self._places)

    def filled(self, particulars: Particulars) -> list[Any]:
        """The cells by their number."""
        parts = self._parts.copy()
        texts = [write(particulars) for write in self._writings]
        parts[1::2] = [texts[gap] for gap in self._gaps]
        cells: list[Any] = "".join(parts).split(_END)
        cells[self._first_octets :] = [cell.encode() for cell in cells[self._first_octets :]]
        return cells + [read(particulars) for read in self._read_numbers]


def _numbers() -> Iterator[tuple[int, Callable[[Particulars], int]]]:
    """Keys and size: what stands in the rows of the sample, and what stands there for others."""
    for name in ("patient_key", "size"):
        yield getattr(SAMPLE, name), attrgetter(name)
    for place in range(_OBJECTS_AT_MOST):
        yield SAMPLE.object_key + place, partial(_object_key, place)


def _object_key(place: int, particulars: Particulars) -> int:
    return particulars.object_key + place


def _plain() -> Iterator[Writing]:
    """Every particular as it is, and the forms in which some of them are written besides."""
    for name in ("ins_number", "local_number", "local_authority", "family", "given", "further", "birth"):
        yield attrgetter(f"patient.{name}")
    for name in ("street", "town", "postcode", "phone"):
        yield attrgetter(f"patient.{name}")
    for name in ("entry", "submission_set", "member", "replacement", "replaced", "unique_id", "submission_set_id"):
        yield attrgetter(name)
    for name in ("came", "created", "started", "stopped", "day", "hash", "order"):
        yield attrgetter(name)
    for name in ("came", "created", "started", "stopped"):
        yield _instant(name)
    yield lambda particulars: str(particulars.size)
    yield lambda particulars: to_date(particulars.patient.birth)
    yield lambda particulars: f"PID-8|{particulars.patient.sex}"
    yield lambda particulars: _GENDERS[particulars.patient.sex]
    yield lambda particulars: base64.b64encode(bytes.fromhex(particulars.hash)).decode()


def _instant(name: str) -> Writing:
    read = attrgetter(name)
    return lambda particulars: to_instant(DTM(read(particulars)))


def _derived(rows: Iterable[TableRow]) -> Iterator[Writing]:
    """Ids of the Classifications and ExternalIdentifiers of the DocumentEntry and the SubmissionSet."""
    texts = [cell.decode() for cell in chain.from_iterable(row for _, row in rows) if isinstance(cell, bytes)]
    schemes = dict.fromkeys(scheme for text in texts for scheme in _PART.findall(text))
    for owner, scheme in product(("entry", "submission_set"), schemes):
        numbered = (_part(owner, scheme, number) for number in count())
        yield from takewhile(lambda write: any(write(SAMPLE) in text for text in texts), numbered)


def _part(owner: str, scheme: str, number: int) -> Writing:
    read = attrgetter(owner)
    return lambda particulars: part_id(UUID_PREFIX + read(particulars), scheme, number)
