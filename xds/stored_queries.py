"""The stored queries and their parameters, and the grammar of parameter values. ITI TF-2: 3.18.4.1.2.3.

The grammar: strings in single quotes with inner quotes doubled, numbers bare, lists in parentheses,
codes `'code^^codingScheme'`. A repeated Slot means AND where the table allows it; the values of one
Slot, over all its Value elements, mean OR.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice

from xds.datatypes import CX, DTM, Code
from xds.errors import ErrorCode, RegistryError, Rejected

MAX_PARAMETERS = 64
MAX_VALUES = 1000
MAX_VALUE_LENGTH = 1_000_000
_ITEM = re.compile(r"\s*(?:'([^']*(?:''[^']*)*)'|([^\s,()']+))\s*")


class ParameterType(Enum):
    """What a value must be."""

    STRING = "string"
    NUMBER = "number"
    TIME = "DTM"
    CODE = "code^^codingScheme"
    PATIENT = "CX"


class ReturnType(Enum):
    """ITI TF-2: 3.18.4.1.2.4"""

    LEAF_CLASS = "LeafClass"
    OBJECT_REF = "ObjectRef"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter. `alternative`: exactly one of the parameters of the query so marked is given."""

    name: str
    type: ParameterType = ParameterType.STRING
    required: bool = False
    many: bool = False
    and_or: bool = False
    alternative: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredQuery:
    """One stored query. ITI TF-2: 3.18.4.1.2.3.7"""

    name: str
    id: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdhocQuery:
    """A request as it stood on the wire: Slots in order, values untouched."""

    id: str
    return_type: str
    slots: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadQuery:
    """A request that obeys the grammar: per parameter an AND of ORs."""

    query: StoredQuery
    return_type: ReturnType
    values: Mapping[str, tuple[tuple[str, ...], ...]]

    def groups(self, name: str) -> tuple[tuple[str, ...], ...]:
        return self.values.get(name, ())

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(value for group in self.groups(name) for value in group)

    def one(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)


_P = Parameter
_TYPE = ParameterType
_LEVEL = _P(name="$MetadataLevel", type=_TYPE.NUMBER)


def _codes(*names: str) -> tuple[Parameter, ...]:
    return tuple(_P(name=f"$XDSDocumentEntry{name}", type=_TYPE.CODE, many=True) for name in names)


def _and_or_codes(*names: str) -> tuple[Parameter, ...]:
    return tuple(_P(name=f"$XDSDocumentEntry{name}", type=_TYPE.CODE, many=True, and_or=True) for name in names)


def _times(*names: str) -> tuple[Parameter, ...]:
    return tuple(_P(name=f"{name}{end}", type=_TYPE.TIME) for name in names for end in ("From", "To"))


FIND_DOCUMENTS = StoredQuery(
    name="FindDocuments",
    id="urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d",
    parameters=(
        _P(name="$XDSDocumentEntryPatientId", type=_TYPE.PATIENT, required=True),
        _P(name="$XDSDocumentEntryStatus", required=True, many=True),
        *_codes("ClassCode", "TypeCode", "PracticeSettingCode", "HealthcareFacilityTypeCode", "FormatCode"),
        *_and_or_codes("EventCodeList", "ConfidentialityCode"),
        *_times(
            "$XDSDocumentEntryCreationTime", "$XDSDocumentEntryServiceStartTime", "$XDSDocumentEntryServiceStopTime"
        ),
        _P(name="$XDSDocumentEntryAuthorPerson", many=True),
        _P(name="$XDSDocumentEntryType", many=True),
        _P(name="$XDSDocumentEntryDocumentAvailability", many=True),
        _LEVEL,
    ),
)
FIND_SUBMISSION_SETS = StoredQuery(
    name="FindSubmissionSets",
    id="urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9",
    parameters=(
        _P(name="$XDSSubmissionSetPatientId", type=_TYPE.PATIENT, required=True),
        _P(name="$XDSSubmissionSetStatus", required=True, many=True),
        _P(name="$XDSSubmissionSetSourceId", many=True),
        *_times("$XDSSubmissionSetSubmissionTime"),
        _P(name="$XDSSubmissionSetAuthorPerson"),
        _P(name="$XDSSubmissionSetContentType", type=_TYPE.CODE, many=True),
    ),
)
GET_ALL = StoredQuery(
    name="GetAll",
    id="urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3",
    parameters=(
        _P(name="$patientId", type=_TYPE.PATIENT, required=True),
        _P(name="$XDSDocumentEntryStatus", required=True, many=True),
        _P(name="$XDSSubmissionSetStatus", required=True, many=True),
        _P(name="$XDSFolderStatus", required=True, many=True),
        *_codes("FormatCode"),
        *_and_or_codes("ConfidentialityCode"),
        _P(name="$XDSDocumentEntryType", many=True),
        _P(name="$XDSAssociationStatus", many=True),
        _LEVEL,
    ),
)
GET_DOCUMENTS = StoredQuery(
    name="GetDocuments",
    id="urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4",
    parameters=(
        _P(name="$XDSDocumentEntryEntryUUID", many=True, alternative=True),
        _P(name="$XDSDocumentEntryUniqueId", many=True, alternative=True),
        _P(name="$XDSDocumentEntryLogicalID", many=True, alternative=True),
        _LEVEL,
    ),
)
REGISTRY_STORED_QUERIES = {query.id: query for query in (FIND_DOCUMENTS, FIND_SUBMISSION_SETS, GET_ALL, GET_DOCUMENTS)}


def read_query(request: AdhocQuery, queries: Mapping[str, StoredQuery] = REGISTRY_STORED_QUERIES) -> ReadQuery:
    """Check a request against the table. Raises Rejected with every error found. ITI TF-2: 3.18.4.1.3"""
    query = queries.get(request.id)
    if query is None:
        raise Rejected(
            [_error(ErrorCode.UNKNOWN_STORED_QUERY, f"AdhocQuery id: found {request.id!r}, not served here")]
        )
    known = {parameter.name: parameter for parameter in query.parameters}
    values: dict[str, tuple[tuple[str, ...], ...]] = {}
    errors = list(_request_errors(request))
    for name, slots in _by_name(request.slots).items():
        if name in known:
            before = len(errors)
            groups = _read_parameter(known[name], slots, errors)
            if groups or len(errors) > before:
                values[name] = groups
        elif name.removesuffix("Scheme") != name and name.startswith("$XDS"):
            errors.append(_error(ErrorCode.REGISTRY, f"{name}: obsolete, give the scheme as code^^codingScheme"))
    errors.extend(_missing(query, values))
    if errors:
        raise Rejected(errors)
    return ReadQuery(query=query, return_type=ReturnType(request.return_type), values=values)


def _error(code: ErrorCode, context: str) -> RegistryError:
    return RegistryError(code=code, context=context)


def _request_errors(request: AdhocQuery) -> Iterator[RegistryError]:
    if request.return_type not in {kind.value for kind in ReturnType}:
        yield _error(ErrorCode.REGISTRY, f"returnType: found {request.return_type!r}, expected LeafClass or ObjectRef")
    if len(request.slots) > MAX_PARAMETERS:
        yield _error(ErrorCode.REGISTRY, f"found {len(request.slots)} parameters, expected at most {MAX_PARAMETERS}")


def _by_name(slots: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, list[tuple[str, ...]]]:
    grouped: dict[str, list[tuple[str, ...]]] = {}
    for name, values in slots:
        grouped.setdefault(name, []).append(values)
    return grouped


def _read_parameter(
    parameter: Parameter, slots: Sequence[tuple[str, ...]], errors: list[RegistryError]
) -> tuple[tuple[str, ...], ...]:
    """The groups of one parameter; findings go to `errors`."""
    if len(slots) > 1 and not parameter.and_or:
        errors.append(
            _error(ErrorCode.STORED_QUERY_PARAM_NUMBER, f"{parameter.name}: found the Slot {len(slots)} times")
        )
        return ()
    groups = []
    for texts in slots:
        try:
            groups.append(_read_group(parameter, texts))
        except ValueError as problem:
            errors.append(_error(ErrorCode.REGISTRY, f"{parameter.name}: {problem}"))
    if not parameter.many and any(len(group) > 1 for group in groups):
        errors.append(
            _error(ErrorCode.STORED_QUERY_PARAM_NUMBER, f"{parameter.name}: found several values, expected one")
        )
        return ()
    return tuple(group for group in groups if group)


def _read_group(parameter: Parameter, texts: Sequence[str]) -> tuple[str, ...]:
    values: list[str] = []
    for text in texts:
        values.extend(islice(_read_value(parameter, text), MAX_VALUES + 1))
        if len(values) > MAX_VALUES:
            raise ValueError(f"found more than {MAX_VALUES} values")
    return tuple(dict.fromkeys(values))


def _read_value(parameter: Parameter, text: str) -> Iterator[str]:
    """One Value: a list in parentheses, or a single value, which a list parameter must quote or number too."""
    if len(text) > MAX_VALUE_LENGTH:
        raise ValueError(f"found {len(text)} characters, expected at most {MAX_VALUE_LENGTH}")
    text = text.strip()
    if text.startswith("("):
        if not text.endswith(")"):
            raise ValueError("expected the list to end with )")
        items = _items(text[1:-1])
    elif parameter.many and not text.startswith("'"):
        raise ValueError("expected a list in parentheses")
    else:
        items = _items(text)
    for quoted, item in items:
        yield _checked(parameter, item, quoted=quoted)


def _items(text: str) -> Iterator[tuple[bool, str]]:
    """(was quoted, content) of each element between commas."""
    at = 0
    while True:
        match = _ITEM.match(text, at)
        if match is None:
            raise ValueError("expected 'text' in single quotes or a number, separated by commas")
        quoted = match[1] is not None
        yield quoted, match[1].replace("''", "'") if quoted else match[2]
        at = match.end()
        if at == len(text):
            return
        if text[at] != ",":
            raise ValueError("expected a comma between values")
        at += 1


def _checked(parameter: Parameter, item: str, *, quoted: bool) -> str:
    if parameter.type in (ParameterType.TIME, ParameterType.NUMBER):
        return _checked_number(parameter, item)
    if not quoted:
        raise ValueError("expected the value in single quotes")
    if parameter.type is ParameterType.CODE:
        Code.parse(item)
    if parameter.type is ParameterType.PATIENT:
        return CX.parse(item.strip()).key
    return item


def _checked_number(parameter: Parameter, item: str) -> str:
    if parameter.type is ParameterType.TIME:
        return DTM.parse(item).earliest
    if not (item.isascii() and item.isdigit()):
        raise ValueError("expected a number")
    return item


def _missing(query: StoredQuery, values: Mapping[str, tuple[tuple[str, ...], ...]]) -> Iterator[RegistryError]:
    """Q10, Q11"""
    for parameter in query.parameters:
        if parameter.required and parameter.name not in values:
            yield _error(
                ErrorCode.STORED_QUERY_MISSING_PARAM, f"{parameter.name}: required by {query.name}, found none"
            )
    alternatives = [parameter.name for parameter in query.parameters if parameter.alternative]
    given = [name for name in alternatives if values.get(name)]
    if alternatives and not given and not any(name in values for name in alternatives):
        yield _error(ErrorCode.STORED_QUERY_MISSING_PARAM, f"{query.name}: expected one of {', '.join(alternatives)}")
    if len(given) > 1:
        yield _error(ErrorCode.STORED_QUERY_PARAM_NUMBER, f"{query.name}: expected only one of {', '.join(given)}")
