"""Writing registry objects: rows, identities and searchable values."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from registry.sql.identities import IN_REGISTRY
from registry.sql.one_of import one_of
from registry.sql.tables import KINDS, STATUSES, VALUE_ATTRIBUTES, identity, object_value, registry_object
from xds.datatypes import DTM, normalised
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet
from xds.vocabulary import AvailabilityStatus, DocumentAvailability, ObjectType

_o = registry_object.c


def row_of(thing: RegistryObject, *, patient_key: int, object_key: int, submission_key: int) -> dict[str, Any]:
    """The narrow columns of an object; `attributes`, `ebrim` and `fhir` are added by who renders."""
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


def _text(value: object) -> str | None:
    return None if value is None else normalised(str(value))


def _time(value: DTM | None) -> str | None:
    return None if value is None else value.earliest


def values_of(thing: RegistryObject) -> Iterator[tuple[int, str]]:
    """(attribute, value) of the searchable attributes with several values, each once."""
    found: dict[tuple[int, str], None] = {}
    for name, number in VALUE_ATTRIBUTES.items():
        if name == "author_person":
            people = (author.author_person for author in getattr(thing, "author", ()))
            values: Sequence[object] = [person for person in people if person is not None]
        else:
            values = getattr(thing, name, ())
        for value in values:
            found[number, normalised(str(value))] = None
    yield from found


def identities_of(thing: RegistryObject, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """entryUUID always; uniqueId of a SubmissionSet or Folder in the registry, of a document per patient."""
    keys = {"patient_key": row["patient_key"], "object_key": row["object_key"]}
    yield {"value": thing.entry_uuid, "scope": IN_REGISTRY, **keys}
    if not isinstance(thing, Association) and thing.unique_id is not None:
        scope = row["patient_key"] if isinstance(thing, DocumentEntry) else IN_REGISTRY
        yield {"value": thing.unique_id, "scope": scope, **keys}


def add(connection: Connection, things: Sequence[RegistryObject], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rendered rows, their identities and searchable values."""
    connection.execute(insert(registry_object), list(rows))
    names = [one for thing, row in zip(things, rows, strict=True) for one in identities_of(thing, row)]
    _insert_ignoring_known(connection, names)
    values = [
        {"patient_key": row["patient_key"], "object_key": row["object_key"], "attribute": attribute, "value": value}
        for thing, row in zip(things, rows, strict=True)
        for attribute, value in values_of(thing)
    ]
    if values:
        connection.execute(insert(object_value), values)


def _insert_ignoring_known(connection: Connection, names: list[dict[str, Any]]) -> None:
    """A document uniqueId used before by the same patient stays with its first entry; anything else known is a race."""
    shared = [name for name in names if name["scope"] != IN_REGISTRY]
    connection.execute(insert(identity), [name for name in names if name["scope"] == IN_REGISTRY])
    if not shared:
        return
    known = set(
        connection.execute(
            select(identity.c.value).where(
                one_of(identity.c.value, [name["value"] for name in shared]),
                identity.c.scope == shared[0]["scope"],
            )
        ).scalars()
    )
    new = [name for name in shared if name["value"] not in known]
    if new:
        connection.execute(insert(identity), new)


def attributes_of(connection: Connection, patient_key: int, entry_uuids: Collection[str]) -> dict[str, tuple[int, str]]:
    """entryUUID -> (object key, attributes JSON) of objects of one patient."""
    statement = select(_o.entry_uuid, _o.object_key, _o.attributes).where(
        _o.patient_key == patient_key, one_of(_o.entry_uuid, sorted(entry_uuids))
    )
    return {row[0]: (row[1], row[2]) for row in connection.execute(statement)}


def sources_of(
    connection: Connection, patient_key: int, targets: Collection[str], association_types: Collection[str]
) -> set[str]:
    """entryUUIDs that are linked to the targets by associations of these types."""
    statement = select(_o.source).where(
        _o.patient_key == patient_key,
        _o.kind == KINDS[Association],
        one_of(_o.target, sorted(targets)),
        _o.association_type.in_(sorted(association_types)),
    )
    return set(connection.execute(statement).scalars())


def associations_from(connection: Connection, patient_key: int, source: str) -> list[str]:
    """Attributes JSON of the associations whose source is this object."""
    statement = (
        select(_o.attributes)
        .where(_o.patient_key == patient_key, _o.kind == KINDS[Association], _o.source == source)
        .order_by(_o.object_key)
    )
    return list(connection.execute(statement).scalars())


def rewrite(connection: Connection, patient_key: int, object_key: int, changed: dict[str, Any]) -> None:
    """Replace columns of one row, renderings included."""
    connection.execute(
        update(registry_object).where(_o.patient_key == patient_key, _o.object_key == object_key).values(**changed)
    )
