"""The search parameters of ITI-67: one table, read by the search and by /metadata. MHD 2:3.67.4.1.2.1."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from fhir_facade.code_systems import from_identifier, from_uri
from fhir_facade.operation_outcome import bad_request
from fhir_facade.times import search_range
from registry.criteria import CodeCriterion, CodePattern, Criteria, TimeCriterion
from xds.datatypes import CX
from xds.identifiers import UUID_PREFIX, is_oid, is_uuid_urn
from xds.vocabulary import AvailabilityStatus

MAX_VALUES = 100
_SPLIT = {",": re.compile(r"(?<!\\),"), "|": re.compile(r"(?<!\\)\|")}
_ESCAPED = re.compile(r"\\([\\,|$])")
_PREFIX = re.compile(r"(eq|ne|gt|ge|lt|le|sa|eb|ap)(?=\d)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FHIR_ID = re.compile(r"[A-Za-z0-9.-]{1,64}\Z")
_STATUSES = {"current": AvailabilityStatus.APPROVED, "superseded": AvailabilityStatus.DEPRECATED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """`code`, `system|code`, `|code` or `system|`; `system` None means any."""

    system: str | None
    code: str


Narrow = Callable[[Criteria, "SearchParameter", Sequence[str]], Criteria]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchParameter:
    """One parameter: FHIR type, what it searches, and how it narrows the criteria."""

    name: str
    type: str
    documentation: str
    narrow: Narrow
    attributes: tuple[str, ...] = ()
    definition: str = ""
    hidden: bool = field(default=False)


def split(text: str, separator: str = ",") -> list[str]:
    """The values between separators, escapes left in place."""
    return _SPLIT[separator].split(text)


def unescape(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def read_token(text: str) -> Token:
    parts = [unescape(part) for part in split(text, "|")]
    if len(parts) > 2 or parts == [""] or parts == ["", ""]:
        raise bad_request("expected a token such as code or system|code")
    return Token(system=None, code=parts[0]) if len(parts) == 1 else Token(system=parts[0], code=parts[1])


def _patient(criteria: Criteria, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    tokens = [read_token(value) for value in values]
    if len(tokens) != 1 or criteria.patient is not None:
        raise bad_request(f"{parameter.name}: expected one patient", expression=parameter.name)
    authority = (tokens[0].system or "").removeprefix("urn:oid:")
    if not is_oid(authority) or not tokens[0].code:
        raise bad_request(f"{parameter.name}: expected urn:oid:OID|identifier", expression=parameter.name)
    return replace(criteria, patient=CX.of(id=tokens[0].code, authority=authority).key)


def _identifier(criteria: Criteria, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    """masterIdentifier and identifier: uniqueIds, or entryUUIDs, not both at once."""
    tokens = [read_token(value) for value in values]
    texts = tuple(from_identifier(token.system or "", token.code) for token in tokens)
    of_entries = [is_uuid_urn(text) for text in texts]
    if criteria.unique_ids or criteria.entry_uuids or len(set(of_entries)) > 1:
        raise bad_request(f"{parameter.name}: expected uniqueIds or entryUUIDs, once", expression=parameter.name)
    return replace(criteria, entry_uuids=texts) if all(of_entries) else replace(criteria, unique_ids=texts)


def _id(criteria: Criteria, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    if criteria.logical_ids or not all(_FHIR_ID.match(value) for value in values):
        raise bad_request(f"{parameter.name}: expected logical ids, once", expression=parameter.name)
    return replace(criteria, logical_ids=tuple(f"{UUID_PREFIX}{value}" for value in values))


def _status(criteria: Criteria, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    """A status that no document can have finds nothing."""
    codes = [read_token(value).code for value in values]
    found = tuple(_STATUSES[code] for code in codes if code in _STATUSES)
    if criteria.statuses:
        found = tuple(status for status in found if status in criteria.statuses)
    return replace(criteria, statuses=found) if found else nothing(criteria)


def nothing(criteria: Criteria) -> Criteria:
    """Criteria that no object fits."""
    return replace(criteria, stable=False, on_demand=False)


def _code(criteria: Criteria, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    patterns = tuple(_pattern(read_token(value)) for value in values)
    criterion = CodeCriterion(attribute=parameter.attributes[0], any_of=patterns)
    return replace(criteria, codes=(*criteria.codes, criterion))


def _pattern(token: Token) -> CodePattern:
    scheme = None if token.system is None else from_uri(token.system)
    return CodePattern(code=token.code or None, coding_scheme=scheme)


def _time(criteria: Criteria, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    """A moment: `attributes` names the time compared."""
    (attribute,) = parameter.attributes
    prefix, (first, after) = _date(parameter, values)
    bounds = {"eq": (first, after), "ge": (first, None), "gt": (after, None), "lt": (None, first), "le": (None, after)}
    start, stop = bounds[prefix]
    return _with_time(criteria, TimeCriterion(attribute=attribute, start=start, stop=stop))


def _period(criteria: Criteria, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    """Overlap: the service ended at or after the range begins, or is open, and began before it ends."""
    begins, ends = parameter.attributes
    prefix, (first, after) = _date(parameter, values)
    if prefix in ("ge", "gt", "eq"):
        start = after if prefix == "gt" else first
        criteria = _with_time(criteria, TimeCriterion(attribute=ends, start=start))
    if prefix in ("lt", "le", "eq"):
        stop = first if prefix == "lt" else after
        criteria = _with_time(criteria, TimeCriterion(attribute=begins, stop=stop))
    return criteria


def _with_time(criteria: Criteria, criterion: TimeCriterion) -> Criteria:
    return replace(criteria, times=(*criteria.times, criterion))


def _date(parameter: SearchParameter, values: Sequence[str]) -> tuple[str, tuple[str, str]]:
    """Prefix and range of the one value; `sa` and `eb` of a moment are `gt` and `lt`."""
    if len(values) != 1:
        raise bad_request(f"{parameter.name}: expected one date, found a list", expression=parameter.name)
    match = _PREFIX.match(values[0])
    prefix = {"sa": "gt", "eb": "lt"}.get(match[1], match[1]) if match else "eq"
    if prefix in ("ne", "ap"):
        raise bad_request(f"{parameter.name}: the prefix {prefix} is not supported", code="not-supported")
    try:
        return prefix, search_range(values[0][match.end() :] if match else values[0])
    except ValueError as problem:
        raise bad_request(f"{parameter.name}: {problem}", expression=parameter.name) from None


_BASE = "http://hl7.org/fhir/SearchParameter"


def _token(name: str, attribute: str, documentation: str) -> SearchParameter:
    return SearchParameter(
        name=name,
        type="token",
        documentation=documentation,
        narrow=_code,
        attributes=(attribute,),
        definition=f"{_BASE}/DocumentReference-{name}",
    )


SEARCH_PARAMETERS: tuple[SearchParameter, ...] = (
    SearchParameter(
        name="patient.identifier",
        type="token",
        documentation="identifier of the patient, urn:oid:OID|value",
        narrow=_patient,
        definition=f"{_BASE}/Patient-identifier",
    ),
    SearchParameter(
        name="patient:identifier",
        type="token",
        documentation="the same for the logical reference that subject is",
        narrow=_patient,
        hidden=True,
    ),
    SearchParameter(
        name="identifier",
        type="token",
        documentation="uniqueId or entryUUID, with or without system",
        narrow=_identifier,
        definition=f"{_BASE}/clinical-identifier",
    ),
    SearchParameter(
        name="_id",
        type="token",
        documentation="logical id",
        narrow=_id,
        definition=f"{_BASE}/Resource-id",
    ),
    SearchParameter(
        name="status",
        type="token",
        documentation="current, superseded; a list means any of them",
        narrow=_status,
        definition=f"{_BASE}/DocumentReference-status",
    ),
    _token("type", "type_code", "typeCode"),
    _token("category", "class_code", "classCode"),
    _token("setting", "practice_setting_code", "practiceSettingCode"),
    _token("facility", "healthcare_facility_type_code", "healthcareFacilityTypeCode"),
    _token("event", "event_code_list", "eventCodeList; repeated: all of them"),
    _token("security-label", "confidentiality_code", "confidentialityCode; repeated: all of them"),
    _token("format", "format_code", "formatCode"),
    SearchParameter(
        name="date",
        type="date",
        documentation="creationTime, which DocumentReference.date carries; eq ge gt le lt",
        narrow=_time,
        attributes=("creation_time",),
        definition=f"{_BASE}/DocumentReference-date",
    ),
    SearchParameter(
        name="creation",
        type="date",
        documentation="creationTime; eq ge gt le lt",
        narrow=_time,
        attributes=("creation_time",),
        definition="https://profiles.ihe.net/ITI/MHD/SearchParameter/DocumentReference-Creation",
    ),
    SearchParameter(
        name="period",
        type="date",
        documentation="serviceStartTime to serviceStopTime, overlap; eq ge gt le lt",
        narrow=_period,
        attributes=("service_start_time", "service_stop_time"),
        definition=f"{_BASE}/DocumentReference-period",
    ),
)
_BY_NAME = {parameter.name: parameter for parameter in SEARCH_PARAMETERS}
SCOPES = ("patient.identifier", "patient:identifier", "identifier", "_id")
# Parameters of the result that are read elsewhere, or that change nothing here.
RESULT_PARAMETERS = ("_count", "_format", "_pretty", "_after", "_total")
_NOT_SUPPORTED = frozenset(
    {"_sort", "_include", "_revinclude", "_summary", "_elements", "_contained", "_has", "_filter", "_text", "_content"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSearch:
    """The criteria and the parameters that were applied, as given."""

    criteria: Criteria
    applied: tuple[tuple[str, str], ...]


def read_search(parameters: Iterable[tuple[str, str]], *, strict: bool) -> ReadSearch:
    """Criteria of a search. Raises FhirProblem for a value, modifier or demand that is not served.

    An unknown parameter is ignored, or refused with `strict` (Prefer: handling=strict). On-demand documents are found
    by their identifiers alone: the types of entries have no parameter, and the default of ITI-18 is stable ones.
    """
    criteria, applied = Criteria(), []
    for name, text in parameters:
        parameter = _BY_NAME.get(name)
        if parameter is None:
            _check_unknown(name, strict=strict)
            continue
        values = split(text)
        if len(values) > MAX_VALUES:
            raise bad_request(f"{name}: found {len(values)} values, expected at most {MAX_VALUES}", code="too-costly")
        if any(not value for value in values):
            raise bad_request(f"{name}: found an empty value", expression=name)
        if _CONTROL.search(text):
            raise bad_request(f"{name}: found a control character", expression=name)
        criteria = parameter.narrow(criteria, parameter, values)
        applied.append((name, text))
    if not any(name in SCOPES for name, _ in applied):
        raise bad_request("expected patient.identifier, identifier or _id", code="required")
    if criteria.stable and (criteria.logical_ids or criteria.entry_uuids or criteria.unique_ids):
        criteria = replace(criteria, on_demand=True)
    return ReadSearch(criteria=criteria, applied=tuple(applied))


def _check_unknown(name: str, *, strict: bool) -> None:
    base, colon, _ = name.partition(":")
    if name in RESULT_PARAMETERS:
        return
    if base in _NOT_SUPPORTED:
        raise bad_request(f"{base} is not supported", code="not-supported", expression=base)
    if colon and base in _BY_NAME:
        raise bad_request(f"{name}: the modifier is not supported", code="not-supported", expression=name)
    if strict:
        raise bad_request(f"{name}: unknown search parameter", code="not-supported", expression=name)
