"""Random registries: objects of several patients with versions, folders, associations and statuses, and how to store them.

Objects are put into the tables as any transaction would leave them, without running one, so that states
that take a long history to reach are as likely as simple ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import delete, insert

from registry.sql import objects
from registry.sql.tables import identity, object_value, patient, registry_object
from registry.sql.texts import texts_of
from storage.unit_of_work import Units
from tests.builders import TEST_INS
from xds.datatypes import CX, DTM, XCN, Code, CXi
from xds.ebrim.write import write_object
from xds.metadata import Association, Author, DocumentEntry, Folder, RegistryObject, SubmissionSet
from xds.vocabulary import AssociationType, AvailabilityStatus, DocumentAvailability, ObjectType

PATIENTS = tuple(CX.of(id=name, authority=TEST_INS) for name in ("p1", "p2", "p3"))
CODES = ("a^^s1", "b^^s1", "a^^s2", "e\u0301^^s1", "it's^^s1", "x,(y)^^s1")
PEOPLE = ("1^VILLARD^ELISE", "2^VILLON^E_ISE", "3^O'NEIL^50%", "4^Me\u0301nard^Zoe")
REFERENCES = tuple(f"{name}^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:order" for name in ("r1", "r2", "R_1"))
TIMES = ("2023", "20240101", "202401010000", "20240229123000", "2025", "20250101000001")
UNIQUE_IDS = tuple(f"2.25.{number}" for number in range(1, 6))
SOURCE_IDS = ("2.25.91", "2.25.92")
APPROVED, DEPRECATED = AvailabilityStatus.APPROVED, AvailabilityStatus.DEPRECATED
RELATIONSHIPS = (AssociationType.RPLC, AssociationType.APND, AssociationType.SIGNS, AssociationType.IS_SNAPSHOT_OF)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One object, whose patient's it is, and whether it is the newest version."""

    thing: RegistryObject
    patient: CX
    is_newest: bool = True

    @property
    def id(self) -> str:
        return self.thing.entry_uuid


@dataclass
class World:
    """Everything a registry holds, oldest first."""

    objects: list[Stored] = field(default_factory=list)

    def of(self, kind: type[RegistryObject]) -> list[Stored]:
        return [one for one in self.objects if isinstance(one.thing, kind)]

    def add(self, thing: Any, owner: CX, *, is_newest: bool = True) -> Stored:
        stored = Stored(thing=thing, patient=owner, is_newest=is_newest)
        self.objects.append(stored)
        return stored

    def next_uuid(self) -> str:
        return f"urn:uuid:00000000-0000-4000-8000-{len(self.objects):012}"


def _code(text: str) -> Code:
    return Code.parse(text)


def _some(pool: Iterable[Any], at_most: int = 2) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.sampled_from(tuple(pool)), max_size=at_most, unique=True).map(tuple)


_codes = st.sampled_from(CODES).map(_code)
_times = st.sampled_from(TIMES).map(DTM)
_authors = _some(PEOPLE).map(lambda people: tuple(Author(author_person=XCN(person)) for person in people))
_document_attributes = st.fixed_dictionaries(
    {
        "class_code": st.one_of(st.none(), _codes),
        "type_code": _codes,
        "format_code": _codes,
        "practice_setting_code": _codes,
        "healthcare_facility_type_code": _codes,
        "confidentiality_code": _some(CODES).map(lambda codes: tuple(map(_code, codes))),
        "event_code_list": _some(CODES, 3).map(lambda codes: tuple(map(_code, codes))),
        "author": _authors,
        "reference_id_list": _some(REFERENCES).map(lambda ids: tuple(map(CXi, ids))),
        "service_start_time": st.one_of(st.none(), _times),
        "service_stop_time": st.one_of(st.none(), _times),
        "document_availability": st.sampled_from([None, None, None, *DocumentAvailability]),
    }
)
_newest_statuses = st.sampled_from([APPROVED, APPROVED, DEPRECATED, AvailabilityStatus.ARCHIVED])
_owners = st.sampled_from(PATIENTS[:2])


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A few documents and folders in versions, sets, and associations that their kinds allow."""
    world = World()
    for _ in range(draw(st.integers(1, 3))):
        _add_set(draw, world)
    for _ in range(draw(st.integers(2, 5))):
        _add_document(draw, world)
    for number in range(draw(st.integers(1, 2))):
        _add_folder(draw, world, number)
    for _ in range(draw(st.integers(3, 18))):
        _add_association(draw, world)
    return world


def _add_set(draw: st.DrawFn, world: World) -> None:
    owner, uuid = draw(_owners), world.next_uuid()
    world.add(
        SubmissionSet(
            entry_uuid=uuid,
            logical_id=uuid,
            version=1,
            availability_status=APPROVED,
            patient_id=owner,
            unique_id=f"2.25.50{len(world.objects)}",
            source_id=draw(st.sampled_from(SOURCE_IDS)),
            submission_time=draw(_times),
            content_type_code=draw(_codes),
            author=draw(_authors),
        ),
        owner,
    )


def _owners_of_versions(draw: st.DrawFn) -> list[CX]:
    """Mostly the same patient; a metadata update may give a later version to another."""
    first = draw(_owners)
    count = draw(st.sampled_from([1, 1, 2, 3]))
    return [first, *(draw(st.sampled_from([first, first, first, PATIENTS[1]])) for _ in range(count - 1))]


def _add_document(draw: st.DrawFn, world: World) -> None:
    on_demand = draw(st.integers(0, 3)) == 0
    unique_id, lid = draw(st.sampled_from(UNIQUE_IDS)), world.next_uuid()
    owners = _owners_of_versions(draw)
    for version, owner in enumerate(owners, start=1):
        is_newest = version == len(owners)
        entry = DocumentEntry(
            entry_uuid=world.next_uuid(),
            logical_id=lid,
            version=version,
            availability_status=draw(_newest_statuses) if is_newest else DEPRECATED,
            object_type=ObjectType.ON_DEMAND if on_demand else ObjectType.STABLE,
            creation_time=None if on_demand else draw(_times),
            patient_id=owner,
            unique_id=unique_id,
            **draw(_document_attributes),
        )
        world.add(entry, owner, is_newest=is_newest)


def _add_folder(draw: st.DrawFn, world: World, number: int) -> None:
    lid, owners = world.next_uuid(), _owners_of_versions(draw)[:2]
    for version, owner in enumerate(owners, start=1):
        is_newest = version == len(owners)
        folder = Folder(
            entry_uuid=world.next_uuid(),
            logical_id=lid,
            version=version,
            availability_status=draw(st.sampled_from([APPROVED, APPROVED, DEPRECATED])) if is_newest else DEPRECATED,
            patient_id=owner,
            unique_id=f"2.25.70{number}",
            last_update_time=draw(_times),
            code_list=tuple(map(_code, draw(_some(CODES, 3)))),
        )
        world.add(folder, owner, is_newest=is_newest)


def _add_association(draw: st.DrawFn, world: World) -> None:
    """Ends of one patient, of kinds that the type allows. ITI TF-3: 4.2.2"""
    kinds = draw(
        st.sampled_from(
            [
                (SubmissionSet, DocumentEntry),
                (SubmissionSet, Folder),
                (Folder, DocumentEntry),
                (Folder, DocumentEntry),
                (SubmissionSet, Association),
                (DocumentEntry, DocumentEntry),
                (DocumentEntry, DocumentEntry),
            ]
        )
    )
    pairs = [
        (source, target)
        for source in world.of(kinds[0])
        for target in world.of(kinds[1])
        if source.patient == target.patient and source is not target
    ]
    if not pairs:
        return
    source, target = draw(st.sampled_from(pairs))
    is_relationship = kinds == (DocumentEntry, DocumentEntry)
    uuid = world.next_uuid()
    world.add(
        Association(
            entry_uuid=uuid,
            logical_id=uuid,
            version=1,
            association_type=draw(st.sampled_from(RELATIONSHIPS)) if is_relationship else AssociationType.HAS_MEMBER,
            source=source.id,
            target=target.id,
            availability_status=draw(st.sampled_from([APPROVED, APPROVED, APPROVED, DEPRECATED])),
        ),
        source.patient,
    )


def store(units: Units, world: World) -> None:
    """Make the tables hold this world and nothing else."""
    keys = {one.key: number for number, one in enumerate(PATIENTS, start=1)}
    rows, names, values = [], dict[tuple[str, int], dict[str, Any]](), []
    for number, one in enumerate(world.objects, start=1):
        owner = keys[one.patient.key]
        row = objects.row_of(one.thing, patient_key=owner, object_key=number, submission_key=number)
        rendered = texts_of(one.thing, ebrim=write_object(one.thing), fhir=None, updated="20260101000000")
        rows.append(row | rendered | {"is_current": one.is_newest})
        names |= {(name["value"], name["scope"]): name for name in objects.identities_of(one.thing, row)}
        values += [
            {"patient_key": owner, "object_key": number, "attribute": attribute, "value": value}
            for attribute, value in objects.values_of(one.thing)
        ]

    def write(unit: Any) -> None:
        for table in (registry_object, identity, object_value, patient):
            unit.connection.execute(delete(table))
        for table, content in (
            (patient, [{"patient_key": keys[p.key], "authority": p.authority, "identifier": p.id} for p in PATIENTS]),
            (registry_object, rows),
            (identity, list(names.values())),
            (object_value, values),
        ):
            if content:
                unit.connection.execute(insert(table), content)

    units.write(write)
