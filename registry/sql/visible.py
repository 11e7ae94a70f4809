"""What may be seen, as SQL: a Visibility becomes a condition on rows, before anything is counted or shown.

A document is seen by its own columns. What stands beside documents is seen through them: a SubmissionSet by one of its
documents, a Folder likewise or when it holds none, an association when both its ends are seen.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    and_,
    bindparam,
    exists,
    false,
    literal_column,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.sql.expression import ColumnCollection

from access_policy.document_facts import Trait
from access_policy.visibility import Grant, Visibility
from registry.sql import identities
from registry.sql.lists import one_of_pairs
from registry.sql.tables import KINDS, STATUSES, VALUE_ATTRIBUTES, identity, object_value, registry_object
from xds.datatypes import CX
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet
from xds.vocabulary import AssociationType, AvailabilityStatus

Columns = ColumnCollection[str, Any]
_GIVEN = "?"


def may_be_seen(visibility: Visibility, kind: type[RegistryObject]) -> ColumnElement[bool]:
    """The condition on rows of one kind of object: everything, the objects of one patient, some of them, or nothing."""
    if visibility.everything:
        return true()
    if not visibility.patient:
        return false()
    key = identities.key_of_patient().params(**patient_values(visibility))
    of_patient = registry_object.c.patient_key == key.scalar_subquery()
    return and_(of_patient, shown(visibility, kind))


def shown(visibility: Visibility, kind: type[RegistryObject]) -> ColumnElement[bool]:
    """The same among the objects of its patient."""
    if visibility.grants is None:
        return true()
    return _SHOWN[kind](registry_object.c, visibility)


def patient_values(visibility: Visibility) -> dict[str, str]:
    """What `identities.key_of_patient` asks for."""
    cx = CX(visibility.patient)
    return {"authority": cx.authority, "identifier": cx.id}


def shape(visibility: Visibility) -> Visibility:
    """The visibility without what differs from request to request: one statement serves all that have its shape."""
    if visibility.grants is None:
        return replace(visibility, patient=_GIVEN) if visibility.patient else visibility
    grants = tuple(
        replace(one, author=one.author and _GIVEN, structure=one.structure and _GIVEN) for one in visibility.grants
    )
    return replace(visibility, patient=_GIVEN, now=_GIVEN, grants=grants, references_only=False)


def values(visibility: Visibility) -> dict[str, str]:
    """What a statement of its shape is run with."""
    grants = visibility.grants
    return (
        {}
        if grants is None
        else {
            "seen_now": visibility.now,
            "seen_author": next((one.author for one in grants if one.author), ""),
            "seen_structure": next((one.structure for one in grants if one.structure), ""),
        }
    )


# --- documents -------------------------------------------------------------------------------


def _document(o: Columns, visibility: Visibility) -> ColumnElement[bool]:
    return or_(false(), *(_granted(o, one, visibility.now) for one in visibility.grants or ()))


def _granted(o: Columns, grant: Grant, now: str) -> ColumnElement[bool]:
    """Cheap conditions first: a database stops at the first that fails."""
    conditions = [_has_none(o, grant.without & ~Trait.HIDDEN)]
    if len(grant.statuses) < len(AvailabilityStatus):
        numbers = ", ".join(str(STATUSES[one]) for one in sorted(grant.statuses))
        conditions.append(_in(o.status, f"({numbers})"))
    if Trait.HIDDEN in grant.without:
        has_come = and_(o.visible_from != literal_column("''"), o.visible_from <= _given("seen_now", now))
        conditions.append(or_(_has_none(o, Trait.HIDDEN), has_come))
    if grant.types is not None:
        conditions.append(_is_of_types(o, grant.types, grant.beyond))
    for attribute, value in (("author", grant.author), ("structure", grant.structure)):
        if value:
            conditions.append(_written_by(o, attribute, value))
    return and_(*conditions)


def _has_none(o: Columns, traits: Trait) -> ColumnElement[bool]:
    mask: ColumnElement[int] = literal_column(str(int(traits)))
    has_none: ColumnElement[bool] = o.traits.bitwise_and(mask) == literal_column("0")
    return has_none


def _is_of_types(o: Columns, types: frozenset[str], beyond: frozenset[str] | None) -> ColumnElement[bool]:
    listed = _in(o.type_code, _texts(types)) if types else false()
    if beyond is None:
        return listed
    is_imaging = not_(_has_none(o, Trait.IMAGING))
    return or_(listed, and_(is_imaging, not_(_in(o.type_code, _texts(beyond)))))


def _in(column: ColumnElement[Any], values: str) -> ColumnElement[bool]:
    """A list that is part of the statement: it comes from the policy tables, and a plan is made for it."""
    return column.op("IN", is_comparison=True)(literal_column(values))


def _texts(values: Collection[str]) -> str:
    return "({})".format(", ".join("'{}'".format(one.replace("'", "''")) for one in sorted(values)))


def _written_by(o: Columns, attribute: str, value: str) -> ColumnElement[bool]:
    v = object_value.alias().c
    return exists().where(
        v.patient_key == o.patient_key,
        v.object_key == o.object_key,
        v.attribute == literal_column(str(VALUE_ATTRIBUTES[f"{attribute}_id"])),
        v.value == _given(f"seen_{attribute}", value),
    )


def _given(name: str, value: str) -> ColumnElement[str]:
    return bindparam(name, value, type_=String())


# --- what stands beside documents ------------------------------------------------------------


def _submission_set(o: Columns, visibility: Visibility) -> ColumnElement[bool]:
    return _holds(o, lambda d: _document(d, visibility))


def _folder(o: Columns, visibility: Visibility) -> ColumnElement[bool]:
    return or_(_submission_set(o, visibility), not_(_holds(o, lambda _: true())))


def _holds(o: Columns, condition: Callable[[Columns], ColumnElement[bool]]) -> ColumnElement[bool]:
    """Whether a document that fits is a member."""
    a = registry_object.alias().c
    return exists().where(
        a.patient_key == o.patient_key,
        a.source == o.entry_uuid,
        a.association_type == literal_column(f"'{AssociationType.HAS_MEMBER}'"),
        _end(a.target, o, lambda d: and_(d.kind == _kind(DocumentEntry), condition(d))),
    )


def _association(o: Columns, visibility: Visibility) -> ColumnElement[bool]:
    """A SubmissionSet may hold the association that puts a document into a Folder."""

    def object_seen(e: Columns) -> ColumnElement[bool]:
        kinds = (DocumentEntry, SubmissionSet, Folder)
        return or_(*(and_(e.kind == _kind(kind), _SHOWN[kind](e, visibility)) for kind in kinds))

    def any_seen(e: Columns) -> ColumnElement[bool]:
        ends = (_end(end, e, object_seen) for end in (e.source, e.target))
        return or_(object_seen(e), and_(e.kind == _kind(Association), *ends))

    return and_(*(_end(end, o, any_seen) for end in (o.source, o.target)))


def _end(
    entry_uuid: ColumnElement[str], o: Columns, condition: Callable[[Columns], ColumnElement[bool]]
) -> ColumnElement[bool]:
    """The object with this entryUUID, of the same patient, fits."""
    i, e = identity.alias().c, registry_object.alias().c
    return exists().where(
        i.value == entry_uuid,
        i.scope == literal_column(str(identities.IN_REGISTRY)),
        e.patient_key == i.patient_key,
        e.object_key == i.object_key,
        e.patient_key == o.patient_key,
        condition(e),
    )


def _kind(kind: type[RegistryObject]) -> ColumnElement[int]:
    return literal_column(str(KINDS[kind]))


_SHOWN: Mapping[type[RegistryObject], Callable[[Columns, Visibility], ColumnElement[bool]]] = {
    DocumentEntry: _document,
    SubmissionSet: _submission_set,
    Folder: _folder,
    Association: _association,
}


def among(connection: Connection, visibility: Visibility, entry_uuids: Collection[str]) -> frozenset[str]:
    """Those of the entryUUIDs whose objects may be seen, of whatever kind."""
    places = identities.object_keys_of(connection, entry_uuids) if entry_uuids else {}
    keys = [key for found in places.values() for key in found]
    if not keys:
        return frozenset()
    o = registry_object.c
    seen = or_(*(and_(o.kind == _kind(kind), may_be_seen(visibility, kind)) for kind in _SHOWN))
    statement = select(o.entry_uuid).where(one_of_pairs(o.patient_key, o.object_key, keys), seen)
    return frozenset(connection.execute(statement).scalars())
