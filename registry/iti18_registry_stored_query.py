"""Registry Stored Query [ITI-18]. ITI TF-2: 3.18."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from lxml import etree

from access_policy.caller import Caller
from access_policy.visibility import visibility
from registry.criteria import CodeCriterion, CodePattern, Criteria, Form, Found, LikeCriterion, Page, TimeCriterion
from registry.store import Registry, Snapshot
from xds.datatypes import Code
from xds.ebrim.read_query import read_adhoc_query
from xds.ebrim.response import adhoc_query_response
from xds.ebrim.schema import schema_findings
from xds.ebrim.write import write_object_ref
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.metadata import Association, Folder, SubmissionSet
from xds.stored_queries import (
    FIND_DOCUMENTS,
    FIND_SUBMISSION_SETS,
    GET_ALL,
    GET_DOCUMENTS,
    ReadQuery,
    ReturnType,
    read_query,
)
from xds.vocabulary import AvailabilityStatus, ObjectType

_DOCUMENT, _SET = "$XDSDocumentEntry", "$XDSSubmissionSet"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultLimits:
    """Larger results are refused with XDSTooManyResults. ITI TF-2: 3.18.4.1.3"""

    leaf_class: int = 10_000
    object_ref: int = 100_000

    def of(self, return_type: ReturnType) -> int:
        return self.leaf_class if return_type is ReturnType.LEAF_CLASS else self.object_ref


def soap(registry: Registry, body: etree._Element, caller: Caller) -> bytes:
    """`query:AdhocQueryRequest` -> `query:AdhocQueryResponse`."""
    try:
        findings = schema_findings(body)
        if findings:
            raise Rejected(RegistryError(code=ErrorCode.REGISTRY, context=str(finding)) for finding in findings)
        query = read_query(read_adhoc_query(body))
        found = handle(registry, query, caller)
    except Rejected as rejected:
        return adhoc_query_response((), rejected.errors)
    if query.return_type is ReturnType.OBJECT_REF:
        return adhoc_query_response([write_object_ref(one.entry_uuid) for one in found])
    return adhoc_query_response([one.rendering for one in found])


def handle(
    registry: Registry,
    query: ReadQuery,
    caller: Caller,
    limits: ResultLimits = ResultLimits(),
) -> list[Found]:
    """The objects a stored query finds for this caller, each once. ITI TF-2: 3.18.4.1.2.3.7

    Raises Rejected for values without meaning, too many results, or results of several patients.
    """
    form = Form.EBRIM if query.return_type is ReturnType.LEAF_CLASS else Form.REFERENCE
    with registry.snapshot(visibility(caller)) as snapshot:
        answer = _Answer(snapshot, form, limits.of(query.return_type))
        _QUERIES[query.query.id](answer, query)
    if query.query is GET_DOCUMENTS and form is Form.EBRIM:
        _check_single_patient(answer.found)
    return answer.found


class _Answer:
    """Collects what the steps of a query find, within the limit."""

    def __init__(self, snapshot: Snapshot, form: Form, limit: int) -> None:
        self._snapshot, self._form, self._limit = snapshot, form, limit
        self.found: list[Found] = []

    def add(self, criteria: Criteria) -> tuple[Found, ...]:
        room = self._limit - len(self.found)
        found = self._snapshot.find(criteria, Page(size=room + 1), self._form)
        if len(found) > room:
            context = f"found more than {self._limit} objects; narrow the query or ask for ObjectRef"
            raise Rejected([RegistryError(code=ErrorCode.TOO_MANY_RESULTS, context=context)])
        self.found.extend(found)
        return found


def _check_single_patient(found: list[Found]) -> None:
    """Q19"""
    if len({one.patient_key for one in found}) > 1:
        context = "the LeafClass result would hold objects of more than one patient"
        raise Rejected([RegistryError(code=ErrorCode.RESULT_NOT_SINGLE_PATIENT, context=context)])


def _find_documents(answer: _Answer, query: ReadQuery) -> None:
    criteria = Criteria(
        patient=query.one(f"{_DOCUMENT}PatientId"),
        statuses=_statuses(query, f"{_DOCUMENT}Status"),
        codes=_codes(query, _DOCUMENT, _DOCUMENT_CODES),
        times=tuple(_times(query, _DOCUMENT_TIMES)),
        likes=_authors(query, f"{_DOCUMENT}AuthorPerson"),
        all_versions=_all_versions(query),
    )
    answer.add(_of_types(query, criteria))


def _find_submission_sets(answer: _Answer, query: ReadQuery) -> None:
    answer.add(
        Criteria(
            kind=SubmissionSet,
            patient=query.one(f"{_SET}PatientId"),
            statuses=_statuses(query, f"{_SET}Status"),
            source_ids=query.all(f"{_SET}SourceId"),
            codes=_codes(query, _SET, {"ContentType": "content_type_code"}),
            times=tuple(_times(query, {f"{_SET}SubmissionTime": "update_time"})),
            likes=_authors(query, f"{_SET}AuthorPerson"),
        )
    )


def _get_documents(answer: _Answer, query: ReadQuery) -> None:
    answer.add(
        Criteria(
            entry_uuids=query.all(f"{_DOCUMENT}EntryUUID"),
            unique_ids=query.all(f"{_DOCUMENT}UniqueId"),
            logical_ids=query.all(f"{_DOCUMENT}LogicalID"),
            on_demand=True,
            all_versions=_all_versions(query),
        )
    )


def _get_all(answer: _Answer, query: ReadQuery) -> None:
    """The objects of the patient, then the associations with an end among them."""
    everything = Criteria(patient=query.one("$patientId"), all_versions=_all_versions(query))
    codes = _codes(query, _DOCUMENT, {"FormatCode": "format_code", "ConfidentialityCode": "confidentiality_code"})
    documents = replace(everything, codes=codes, statuses=_statuses(query, f"{_DOCUMENT}Status"))
    answer.add(_of_types(query, documents))
    for kind, status in ((SubmissionSet, f"{_SET}Status"), (Folder, "$XDSFolderStatus")):
        answer.add(replace(everything, kind=kind, statuses=_statuses(query, status)))
    ends = tuple(one.entry_uuid for one in answer.found)
    if ends:
        associations = replace(everything, kind=Association, statuses=_association_statuses(query))
        answer.add(replace(associations, touching=ends))


_QUERIES: dict[str, Callable[[_Answer, ReadQuery], None]] = {
    FIND_DOCUMENTS.id: _find_documents,
    FIND_SUBMISSION_SETS.id: _find_submission_sets,
    GET_ALL.id: _get_all,
    GET_DOCUMENTS.id: _get_documents,
}
_DOCUMENT_CODES = {
    "ClassCode": "class_code",
    "TypeCode": "type_code",
    "PracticeSettingCode": "practice_setting_code",
    "HealthcareFacilityTypeCode": "healthcare_facility_type_code",
    "FormatCode": "format_code",
    "EventCodeList": "event_code_list",
    "ConfidentialityCode": "confidentiality_code",
}
_DOCUMENT_TIMES = {
    f"{_DOCUMENT}CreationTime": "creation_time",
    f"{_DOCUMENT}ServiceStartTime": "service_start_time",
    f"{_DOCUMENT}ServiceStopTime": "service_stop_time",
}


def _statuses(query: ReadQuery, name: str) -> tuple[AvailabilityStatus, ...]:
    """Q14: values not understood are ignored; none left is a missing parameter."""
    known = {str(status) for status in AvailabilityStatus}
    statuses = tuple(AvailabilityStatus(value) for value in query.all(name) if value in known)
    if not statuses:
        context = f"{name}: found no status that is understood"
        raise Rejected([RegistryError(code=ErrorCode.STORED_QUERY_MISSING_PARAM, context=context)])
    return statuses


def _association_statuses(query: ReadQuery) -> tuple[AvailabilityStatus, ...]:
    """Absent: both, but at MetadataLevel 1 a Deprecated association is never returned. ITI TF-2: 3.18.4.1.2.3.5"""
    if query.all("$XDSAssociationStatus"):
        return _statuses(query, "$XDSAssociationStatus")
    return () if _all_versions(query) else (AvailabilityStatus.APPROVED,)


def _codes(query: ReadQuery, prefix: str, fields: dict[str, str]) -> tuple[CodeCriterion, ...]:
    return tuple(
        CodeCriterion(attribute=field, any_of=tuple(_pattern(code) for code in group))
        for name, field in fields.items()
        for group in query.groups(f"{prefix}{name}")
    )


def _pattern(text: str) -> CodePattern:
    code = Code.parse(text)
    return CodePattern(code=code.code, coding_scheme=code.coding_scheme)


def _times(query: ReadQuery, fields: dict[str, str]) -> Iterator[TimeCriterion]:
    for name, field in fields.items():
        start, stop = query.one(f"{name}From"), query.one(f"{name}To")
        if start or stop:
            yield TimeCriterion(attribute=field, start=start, stop=stop)


def _authors(query: ReadQuery, name: str) -> tuple[LikeCriterion, ...]:
    patterns = query.all(name)
    return (LikeCriterion(attribute="author_person", any_of=patterns),) if patterns else ()


def _of_types(query: ReadQuery, criteria: Criteria) -> Criteria:
    """Q18: stable documents only, unless the query says otherwise."""
    types = query.all(f"{_DOCUMENT}Type")
    if not types:
        return criteria
    return replace(criteria, stable=ObjectType.STABLE in types, on_demand=ObjectType.ON_DEMAND in types)


def _all_versions(query: ReadQuery) -> bool:
    """MetadataLevel 2 shows every version. ITI TF-2: 3.18.4.1.2.3.5"""
    return query.one("$MetadataLevel") == "2"
