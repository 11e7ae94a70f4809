"""Writing registry objects: rows, identities and searchable values."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.engine.interfaces import Dialect

from access_policy.document_facts import author_ids, structure_ids, traits_of
from registry.sql import identities
from registry.sql.identities import IN_REGISTRY, NO_OBJECT
from registry.sql.lists import one_of, one_of_pairs
from registry.sql.tables import KINDS, STATUSES, VALUE_ATTRIBUTES, object_value, registry_object
from registry.sql.texts import Truth
from storage.deflated import inflated
from storage.prepared import Prepared, insertion, prepare
from storage.rows_together import insert_together
from xds.datatypes import DTM, normalised
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet
from xds.vocabulary import AvailabilityStatus, DocumentAvailability, ObjectType

_o = registry_object.c
_LISTS = ("confidentiality_code", "event_code_list", "code_list", "reference_id_list")


def row_of(thing: RegistryObject, *, patient_key: int, object_key: int, submission_key: int) -> dict[str, Any]:
    """The narrow columns of an object; the wide ones are added by who renders (`registry.sql.texts`)."""
    row: dict[str, Any] = dict.fromkeys(_o.keys())
    row |= {
        "patient_key": patient_key,
        "object_key": object_key,
        "submission_key": submission_key,
        "kind": KINDS[type(thing)],
        "status": STATUSES[thing.availability_status or AvailabilityStatus.APPROVED],
        "is_current": True,
        "is_on_demand": False,
        "is_offline": False,
        "traits": 0,
        "version": thing.version or 1,
        "entry_uuid": thing.entry_uuid,
        "logical_id": thing.logical_id or thing.entry_uuid,
    }
    return row | _columns_of(thing)


def _columns_of(thing: RegistryObject) -> dict[str, Any]:
    if isinstance(thing, DocumentEntry):
        return _document_columns(thing)
    if isinstance(thing, SubmissionSet):
        return {
            "unique_id": thing.unique_id,
            "source_id": thing.source_id,
            "content_type_code": _text(thing.content_type_code),
            "update_time": _time(thing.submission_time),
        }
    if isinstance(thing, Folder):
        return {"unique_id": thing.unique_id, "update_time": _time(thing.last_update_time)}
    return {"source": thing.source, "target": thing.target, "association_type": str(thing.association_type)}


def _document_columns(entry: DocumentEntry) -> dict[str, Any]:
    return {
        "unique_id": entry.unique_id,
        "is_on_demand": entry.object_type is ObjectType.ON_DEMAND,
        "is_offline": entry.document_availability is DocumentAvailability.OFFLINE,
        "traits": int(traits_of(entry)),
        "hash": entry.hash,
        "size": entry.size,
        "creation_time": _time(entry.creation_time),
        "service_start_time": _time(entry.service_start_time),
        "service_stop_time": _time(entry.service_stop_time),
        "class_code": _text(entry.class_code),
        "type_code": _text(entry.type_code),
        "format_code": _text(entry.format_code),
        "practice_setting_code": _text(entry.practice_setting_code),
        "healthcare_facility_type_code": _text(entry.healthcare_facility_type_code),
    }


def visible_from(connection: Connection, patient_key: int, logical_id: str) -> str | None:
    """When a hidden document opens by itself, as its versions have it."""
    first = select(func.min(_o.visible_from)).where(_o.patient_key == patient_key, _o.logical_id == logical_id)
    found: str | None = connection.execute(first).scalar()
    return found


def _text(value: object) -> str | None:
    return None if value is None else normalised(str(value))


def _time(value: DTM | None) -> str | None:
    return None if value is None else value.earliest


def values_of(thing: RegistryObject) -> Iterator[tuple[int, str]]:
    """(attribute, value) of the searchable attributes with several values, each once."""
    found = {(VALUE_ATTRIBUTES[name], normalised(str(value))): None for name, value in _values(thing)}
    yield from found


def _values(thing: RegistryObject) -> Iterator[tuple[str, object]]:
    for name in _LISTS:
        yield from ((name, value) for value in getattr(thing, name, ()))
    authors = getattr(thing, "author", ())
    yield from (("author_person", one.author_person) for one in authors if one.author_person is not None)
    if isinstance(thing, DocumentEntry):
        yield from (("author_id", one) for one in author_ids(authors))
        yield from (("structure_id", one) for one in structure_ids(authors))


def identities_of(thing: RegistryObject, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """entryUUID always; uniqueId of a SubmissionSet or Folder in the registry, of a document per patient.

    A later version may belong to another patient than the first, so its logical id says which.
    """
    patient = row["patient_key"]
    keys = {"patient_key": patient, "object_key": row["object_key"]}
    pointer = {"patient_key": patient, "object_key": NO_OBJECT, "scope": patient}
    yield {"value": thing.entry_uuid, "scope": IN_REGISTRY, **keys}
    is_later = thing.logical_id is not None and thing.logical_id != thing.entry_uuid
    if is_later:
        yield {"value": thing.logical_id, **pointer}
    if isinstance(thing, Association) or thing.unique_id is None:
        return
    if isinstance(thing, DocumentEntry):
        yield {"value": thing.unique_id, "scope": patient, **keys}
    elif is_later:
        yield {"value": thing.unique_id, **pointer}
    else:
        yield {"value": thing.unique_id, "scope": IN_REGISTRY, **keys}


def add(connection: Connection, things: Sequence[RegistryObject], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rendered rows, their identities and searchable values."""
    insertion(registry_object, connection.dialect).write(connection, rows)
    names = [one for thing, row in zip(things, rows, strict=True) for one in identities_of(thing, row)]
    names += _references_across_patients(connection, things, rows[0]["patient_key"])
    identities.add(connection, names)
    values = [
        {"patient_key": row["patient_key"], "object_key": row["object_key"], "attribute": attribute, "value": value}
        for thing, row in zip(things, rows, strict=True)
        for attribute, value in values_of(thing)
    ]
    insert_together(connection, object_value, values)


def sources_of(
    connection: Connection, patient_key: int, targets: Collection[str], association_types: Collection[str]
) -> set[str]:
    """entryUUIDs that are linked to the targets by Approved associations of these types."""
    statement = select(_o.source).where(
        _o.patient_key == patient_key,
        _o.kind == KINDS[Association],
        one_of(_o.target, sorted(targets)),
        _o.association_type.in_(sorted(association_types)),
        _o.status == STATUSES[AvailabilityStatus.APPROVED],
    )
    return set(connection.execute(statement).scalars())


def associations_among(connection: Connection, entry_uuids: Collection[str]) -> set[str]:
    """Those of the entryUUIDs that are associations."""
    keys = [key for found in identities.object_keys_of(connection, entry_uuids).values() for key in found]
    if not keys:
        return set()
    statement = select(_o.entry_uuid).where(
        one_of_pairs(_o.patient_key, _o.object_key, keys), _o.kind == KINDS[Association]
    )
    return set(connection.execute(statement).scalars())


def associations_from(connection: Connection, patient_key: int, source: str) -> list[bytes]:
    """Attributes JSON of the associations whose source is this object."""
    rows = _links_from(connection.dialect).rows(connection, of_patient=patient_key, of_source=source)
    return [inflated(truth) for (truth,) in rows]


@lru_cache(maxsize=16)
def _links_from(dialect: Dialect) -> Prepared:
    statement = (
        select(Truth())
        .where(
            _o.patient_key == bindparam("of_patient", type_=_o.patient_key.type),
            _o.kind == KINDS[Association],
            _o.source == bindparam("of_source", ""),
        )
        .order_by(_o.object_key)
    )
    return prepare(statement, dialect)


def _references_across_patients(
    connection: Connection, things: Sequence[RegistryObject], patient_key: int
) -> list[dict[str, Any]]:
    """A SubmissionSet may refer to a document of another patient: the document then concerns this patient too."""
    targets = {
        thing.target
        for thing in things
        if isinstance(thing, Association) and thing.submission_set_status == "Reference"
    }
    places = identities.rows_of(connection, targets)
    return [
        {"value": target, "scope": patient_key, "patient_key": patient_key, "object_key": NO_OBJECT}
        for target, rows in sorted(places.items())
        if patient_key not in {patient for patient, _ in rows}
    ]


def columns_of(thing: RegistryObject, *, is_current: bool) -> dict[str, Any]:
    """The columns that follow from the object itself, to rewrite a row with."""
    status = STATUSES[thing.availability_status or AvailabilityStatus.APPROVED]
    columns = {"status": status, "is_current": is_current, **_columns_of(thing)}
    if not is_current:  # its newest version says what it has
        columns.pop("traits", None)
    return columns


def spread(connection: Connection, logical_id: str, columns: Mapping[str, Any]) -> int:
    """Give every version of a document what decides who sees it; how many did not have it yet, mostly none."""
    differs = or_(*(_o[name].is_distinct_from(value) for name, value in columns.items()))
    return sum(
        connection.execute(update(registry_object).where(versions, differs).values(**columns)).rowcount
        for versions in _versions(connection, logical_id)
    )


def _versions(connection: Connection, logical_id: str) -> Iterator[ColumnElement[bool]]:
    """The versions of a logical object, patient by patient: the first by its key, the few later ones by their index."""
    for patient, key in identities.rows_of(connection, [logical_id]).get(logical_id, ()):
        later = and_(_o.version > literal_column("1"), _o.logical_id == logical_id)
        yield and_(_o.patient_key == patient, or_(_o.object_key == key, later))


def rewrite(connection: Connection, key: tuple[int, int], changed: dict[str, Any]) -> None:
    """Replace columns of one row, renderings included."""
    row = changed | {"in_patient": key[0], "in_object": key[1]}
    _rewriting(connection.dialect, tuple(changed)).write(connection, [row])


@lru_cache(maxsize=64)
def _rewriting(dialect: Dialect, columns: tuple[str, ...]) -> Prepared:
    patient, number = (bindparam(name, type_=_o.object_key.type) for name in ("in_patient", "in_object"))
    statement = update(registry_object).where(_o.patient_key == patient, _o.object_key == number)
    return prepare(statement, dialect, columns=columns)


def remove(connection: Connection, things: Sequence[tuple[RegistryObject, tuple[int, int]]]) -> None:
    """Delete rows with their identities and searchable values."""
    keys = [key for _, key in things]
    connection.execute(delete(registry_object).where(one_of_pairs(_o.patient_key, _o.object_key, keys)))
    values = object_value.c
    connection.execute(delete(object_value).where(one_of_pairs(values.patient_key, values.object_key, keys)))
    for thing, (patient_key, _) in things:
        identities.forget(connection, thing.entry_uuid, IN_REGISTRY)
        if not isinstance(thing, Association) and thing.unique_id is not None:
            scope = patient_key if isinstance(thing, DocumentEntry) else IN_REGISTRY
            _release_unique_id(connection, thing.unique_id, scope)


def _release_unique_id(connection: Connection, unique_id: str, scope: int) -> None:
    """The uniqueId of a removed row names the newest row left that has it, or nothing."""
    patients = [scope] if scope != IN_REGISTRY else identities.patient_keys_of(connection, [unique_id])
    statement = (
        select(_o.patient_key, _o.object_key)
        .where(one_of(_o.patient_key, patients), _o.unique_id == unique_id)
        .order_by(_o.is_current.desc(), _o.object_key.desc())
        .limit(1)
    )
    left = connection.execute(statement).one_or_none()
    if left is None:
        identities.forget(connection, unique_id, scope)
    else:
        identities.move(connection, unique_id, scope, object_key=left.object_key, patient_key=left.patient_key)
