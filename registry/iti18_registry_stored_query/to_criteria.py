"""Parameters -> Criteria, by the table of stored queries. ITI TF-2: 3.18.4.1.2.3.7.

The rules of MetadataLevel stand here alone: level 1 never shows a version that is not the newest, an
Offline document, a Deprecated Folder or a Deprecated Association; level 2 shows them all.
XDS Metadata Update 3.18.4.1.2.3.5
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from registry.criteria import CodeCriterion, CodePattern, Criteria, LikeCriterion, TimeCriterion
from xds.datatypes import Code
from xds.metadata import Association, DocumentEntry, Folder, SubmissionSet
from xds.query_grammar import Groups, ReadQuery
from xds.stored_queries import (
    ASSOCIATION_STATUS,
    DOCUMENT,
    FOLDER,
    METADATA_LEVEL,
    SUBMISSION_SET,
    Parameter,
    ParameterType,
)
from xds.vocabulary import AvailabilityStatus, DocumentAvailability, ObjectType


def documents(query: ReadQuery) -> Criteria:
    """DocumentEntries as the query filters them; stable ones only, unless it names types."""
    shows_all = _is_level_2(query)
    return _filtered(Criteria(kind=DocumentEntry, all_versions=shows_all, offline=shows_all), query, DOCUMENT)


def submission_sets(query: ReadQuery) -> Criteria:
    """SubmissionSets as the query filters them; they have no versions."""
    return _filtered(Criteria(kind=SubmissionSet, all_versions=True), query, SUBMISSION_SET)


def folders(query: ReadQuery) -> Criteria:
    """Folders as the query filters them. Where it has a parameter for their status, that alone decides."""
    shows_all = _is_level_2(query)
    has_status = any(parameter.name == f"{FOLDER}Status" for parameter in query.query.parameters)
    criteria = Criteria(kind=Folder, all_versions=shows_all, deprecated=shows_all or has_status)
    return _filtered(criteria, query, FOLDER)


def associations(query: ReadQuery) -> Criteria:
    """Associations of every status that the query and its level allow."""
    criteria = Criteria(kind=Association, all_versions=True, deprecated=_is_level_2(query))
    return _filtered(criteria, query, ASSOCIATION_STATUS.name)


def identified(criteria: Criteria, query: ReadQuery) -> Criteria:
    """The objects that the query names by entryUUID, uniqueId or logicalID, of any objectType."""
    ids = {p.attribute: query.all(p.name) for p in query.query.parameters if p.alternative}
    return replace(
        criteria,
        entry_uuids=ids.get("entry_uuid", ()),
        unique_ids=ids.get("unique_id", ()),
        logical_ids=ids.get("logical_id", ()),
        stable=True,
        on_demand=True,
    )


def _is_level_2(query: ReadQuery) -> bool:
    return query.one(METADATA_LEVEL.name) == "2"


def _filtered(criteria: Criteria, query: ReadQuery, prefix: str) -> Criteria:
    for parameter in query.query.parameters:
        groups = query.groups(parameter.name)
        if groups and parameter.name.startswith(prefix) and not parameter.alternative:
            criteria = _NARROWED[parameter.type](criteria, parameter, groups)
    return criteria


def _by_patient(criteria: Criteria, parameter: Parameter, groups: Groups) -> Criteria:
    return replace(criteria, patients=groups[0]) if parameter.many else replace(criteria, patient=groups[0][0])


def _by_source(criteria: Criteria, parameter: Parameter, groups: Groups) -> Criteria:
    return replace(criteria, source_ids=groups[0])


def _by_status(criteria: Criteria, parameter: Parameter, groups: Groups) -> Criteria:
    return replace(criteria, statuses=tuple(AvailabilityStatus(value) for value in groups[0]))


def _by_code(criteria: Criteria, parameter: Parameter, groups: Groups) -> Criteria:
    criterions = tuple(
        CodeCriterion(attribute=parameter.attribute, any_of=tuple(_pattern(text) for text in group)) for group in groups
    )
    if parameter.negates:
        return replace(criteria, excluded=(*criteria.excluded, criterions))
    return replace(criteria, codes=(*criteria.codes, *criterions))


def _pattern(text: str) -> CodePattern:
    code = Code.parse(text)
    return CodePattern(code=code.code, coding_scheme=code.coding_scheme)


def _by_pattern(criteria: Criteria, parameter: Parameter, groups: Groups) -> Criteria:
    criterions = tuple(LikeCriterion(attribute=parameter.attribute, any_of=group) for group in groups)
    if parameter.negates:
        return replace(criteria, excluded=(*criteria.excluded, criterions))
    return replace(criteria, likes=(*criteria.likes, *criterions))


def _from(criteria: Criteria, parameter: Parameter, groups: Groups) -> Criteria:
    criterion = TimeCriterion(attribute=parameter.attribute, start=groups[0][0])
    return replace(criteria, times=(*criteria.times, criterion))


def _to(criteria: Criteria, parameter: Parameter, groups: Groups) -> Criteria:
    criterion = TimeCriterion(attribute=parameter.attribute, stop=groups[0][0])
    return replace(criteria, times=(*criteria.times, criterion))


def _by_object_type(criteria: Criteria, parameter: Parameter, groups: Groups) -> Criteria:
    """What the twin excludes is taken from both types, not from the default. ITI TF-2: 3.18.4.1.2.3.6.2"""
    types: set[str] = set(groups[0])
    if parameter.negates:
        types = {str(kind) for kind in ObjectType} - types
    return replace(criteria, stable=ObjectType.STABLE in types, on_demand=ObjectType.ON_DEMAND in types)


def _by_availability(criteria: Criteria, parameter: Parameter, groups: Groups) -> Criteria:
    online, offline = (value in groups[0] for value in (DocumentAvailability.ONLINE, DocumentAvailability.OFFLINE))
    return replace(criteria, online=online, offline=offline and criteria.offline)


_NARROWED: Mapping[ParameterType, Callable[[Criteria, Parameter, Groups], Criteria]] = {
    ParameterType.PATIENT: _by_patient,
    ParameterType.STRING: _by_source,
    ParameterType.STATUS: _by_status,
    ParameterType.CODE: _by_code,
    ParameterType.PATTERN: _by_pattern,
    ParameterType.FROM: _from,
    ParameterType.TO: _to,
    ParameterType.OBJECT_TYPE: _by_object_type,
    ParameterType.AVAILABILITY: _by_availability,
}
