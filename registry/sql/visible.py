"""What may be seen, as SQL: a Visibility becomes a condition on rows, before anything is counted or shown.

A document is seen by its own columns. What stands beside documents is seen through them: a SubmissionSet by one of its
documents, a Folder likewise or when it holds none, an association when both its ends are seen.
"""

from collections.abc import Collection
from functools import cached_property
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Select,
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
    union_all,
)
from sqlalchemy.sql.expression import ColumnCollection

from access_policy.document_facts import Trait
from access_policy.visibility import Grant, Visibility
from registry.sql import identities
from registry.sql.lists import one_of_pairs
from registry.sql.places import Places
from registry.sql.tables import KINDS, STATUSES, VALUE_ATTRIBUTES, object_value, registry_object
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet
from xds.vocabulary import AssociationType, AvailabilityStatus

Columns = ColumnCollection[str, Any]
_GIVEN = "?"


def may_be_seen(visibility: Visibility, kind: type[RegistryObject], places: Places) -> ColumnElement[bool]:
    """The condition on rows of one kind of object: everything, the objects of one patient, some of them, or nothing."""
    if visibility.everything:
        return true()
    if not visibility.patient:
        return false()
    key = bindparam(None, places.patient(visibility.patient), type_=registry_object.c.patient_key.type)
    return and_(registry_object.c.patient_key == key, shown(visibility, kind, key))


def shown(visibility: Visibility, kind: type[RegistryObject], patient: ColumnElement[Any]) -> ColumnElement[bool]:
    """The same among the objects of its patient, whose key is a value: a cluster of machines is told whom to ask."""
    return true() if visibility.grants is None else _Record(visibility, patient).shows(kind)


def unnamed(visibility: Visibility) -> Visibility:
    """The visibility without what differs from request to request: one statement serves all that have this one."""
    if not visibility.patient:
        return visibility
    return Visibility(everything=False, patient=_GIVEN, grants=visibility.grants)


def values(visibility: Visibility) -> dict[str, str]:
    """What that statement is run with."""
    if visibility.grants is None:
        return {}
    return {
        "seen_now": visibility.now,
        "seen_author": visibility.author,
        "seen_structure": visibility.structure,
    }


# --- documents -------------------------------------------------------------------------------


def _document(o: Columns, visibility: Visibility) -> ColumnElement[bool]:
    return or_(false(), *(_granted(o, one, visibility) for one in visibility.grants or ()))


def _granted(o: Columns, grant: Grant, seen: Visibility) -> ColumnElement[bool]:
    """Cheap conditions first: a database stops at the first that fails."""
    conditions = [_has_none(o, grant.without & ~Trait.HIDDEN)]
    if len(grant.statuses) < len(AvailabilityStatus):
        numbers = ", ".join(str(STATUSES[one]) for one in sorted(grant.statuses))
        conditions.append(_in(o.status, f"({numbers})"))
    if Trait.HIDDEN in grant.without:
        has_come = and_(o.visible_from != literal_column("''"), o.visible_from <= _given("seen_now", seen.now))
        conditions.append(or_(_has_none(o, Trait.HIDDEN), has_come))
    if grant.types is not None:
        conditions.append(_is_of_types(o, grant.types, grant.beyond))
    if grant.by_author:
        conditions.append(_written_by(o, "author", seen.author))
    if grant.by_structure:
        conditions.append(_written_by(o, "structure", seen.structure))
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
    return or_(listed, and_(is_imaging, not_(_in(o.type_code, _texts(beyond)))) if beyond else is_imaging)


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
    """A value as a subquery: PostgreSQL, which cannot look into it, keeps one plan for all callers.

    A plan for this value looked cheaper than one for any, and was made anew for each request, at a fifth of its time.
    """
    return select(bindparam(name, value, type_=String())).scalar_subquery()


# --- what stands beside documents ------------------------------------------------------------


class _Record:
    """The objects of one patient that may be seen, each kind through the one before, and each looked up once."""

    def __init__(self, visibility: Visibility, patient: ColumnElement[Any]) -> None:
        self._visibility, self._patient = visibility, patient

    def shows(self, kind: type[RegistryObject]) -> ColumnElement[bool]:
        """The condition on a row of this kind."""
        o = registry_object.c
        if kind is DocumentEntry:
            return _document(o, self._visibility)
        if kind is SubmissionSet:
            return o.entry_uuid.in_(self._holders)
        if kind is Folder:
            return or_(o.entry_uuid.in_(self._holders), o.entry_uuid.not_in(self._filled))
        return and_(o.source.in_(self._ends), o.target.in_(self._ends))

    @cached_property
    def _holders(self) -> Select[Any]:
        """Objects that have a document as a member which may be seen."""
        d = registry_object.alias().c
        seen = select(d.entry_uuid).where(*self._of_kind(d, DocumentEntry), _document(d, self._visibility))
        return select(self._members(seen.cte("seen_documents")).cte("seen_holders"))

    @cached_property
    def _filled(self) -> Select[Any]:
        """Objects that have any document as a member."""
        d = registry_object.alias().c
        return self._members(select(d.entry_uuid).where(*self._of_kind(d, DocumentEntry)).cte("any_documents"))

    @cached_property
    def _ends(self) -> Select[Any]:
        """What an association may lead to: objects, and the association that puts a document into a Folder."""
        a = registry_object.alias().c
        record = _Record(self._visibility, self._patient)
        kinds = (DocumentEntry, SubmissionSet, Folder)
        seen = or_(*(and_(registry_object.c.kind == _kind(kind), record.shows(kind)) for kind in kinds))
        objects = select(registry_object.c.entry_uuid).where(registry_object.c.patient_key == self._patient, seen)
        things = objects.cte("seen_objects")
        links = select(a.entry_uuid).where(
            *self._of_kind(a, Association), a.source.in_(select(things)), a.target.in_(select(things))
        )
        return select(union_all(select(things), links).cte("seen_ends"))

    def _members(self, documents: CTE) -> Select[Any]:
        a = registry_object.alias().c
        is_member = a.association_type == literal_column(f"'{AssociationType.HAS_MEMBER}'")
        return select(a.source).where(*self._of_kind(a, Association), is_member, a.target.in_(select(documents)))

    def _of_kind(self, o: Columns, kind: type[RegistryObject]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return o.patient_key == self._patient, o.kind == _kind(kind)


def _kind(kind: type[RegistryObject]) -> ColumnElement[int]:
    return literal_column(str(KINDS[kind]))


def among(connection: Connection, visibility: Visibility, entry_uuids: Collection[str]) -> frozenset[str]:
    """Those of the entryUUIDs whose objects may be seen, of whatever kind."""
    places = identities.object_keys_of(connection, entry_uuids) if entry_uuids else {}
    keys = [key for found in places.values() for key in found]
    if not keys:
        return frozenset()
    o, where = registry_object.c, Places(connection)
    found: set[str] = set()
    for kind, number in KINDS.items():
        seen = and_(o.kind == literal_column(str(number)), may_be_seen(visibility, kind, where))
        statement = select(o.entry_uuid).where(one_of_pairs(o.patient_key, o.object_key, keys), seen)
        found.update(connection.execute(statement).scalars())
    return frozenset(found)
