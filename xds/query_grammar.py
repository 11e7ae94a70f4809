"""Reading the parameters of a stored query against the table. ITI TF-2: 3.18.4.1.2.3.4.

The grammar: strings in single quotes with inner quotes doubled, numbers bare, lists in parentheses,
codes `'code^^codingScheme'`. A repeated Slot means AND where the table allows it; the values of one
Slot, over all its Value elements, mean OR.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from xds.datatypes import CX, DTM, Code
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.stored_queries import REGISTRY_STORED_QUERIES, Parameter, ParameterType, StoredQuery
from xds.vocabulary import AssociationType, AvailabilityStatus, DocumentAvailability, ObjectType

MAX_PARAMETERS = 64
MAX_VALUES = 1000  # of one Slot
MAX_ALL_VALUES = 5000  # of all Slots together
MAX_WILDCARDS = 100  # values with % or _, of all Slots together
MAX_VALUE_LENGTH = 1_000_000  # a Value element with a whole list
MAX_ITEM_LENGTH = 1_000  # one value of the list; no attribute is longer than 256 characters
# Quotes inside are doubled. A value with more of them is too long anyway, and a longer search costs time.
_ITEM = re.compile(rf"\s*(?:'([^']*(?:''[^']*){{0,{MAX_ITEM_LENGTH}}})'(?!')|([^\s,()']+))\s*")
_OBSOLETE = re.compile(r"\$XDS\w+(Code|CodeList|ContentType)Scheme\Z")
_EMPTY = frozenset({"", "()", "''", "('')"})
_SHOWN = 60
_FEW = 3  # values shown of a list

Groups = tuple[tuple[str, ...], ...]


class ReturnType(Enum):
    """ITI TF-2: 3.18.4.1.2.4"""

    LEAF_CLASS = "LeafClass"
    OBJECT_REF = "ObjectRef"


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
    values: Mapping[str, Groups]

    def groups(self, name: str) -> Groups:
        return self.values.get(name, ())

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(value for group in self.groups(name) for value in group)

    def one(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)


def read_query(request: AdhocQuery, queries: Mapping[str, StoredQuery] = REGISTRY_STORED_QUERIES) -> ReadQuery:
    """Check a request against the table. Raises Rejected with every error found. ITI TF-2: 3.18.4.1.3"""
    errors = list(_request_errors(request, queries))
    query = queries.get(request.id)
    if query is None:
        raise Rejected(errors)
    known = {parameter.name: parameter for parameter in query.parameters}
    values: dict[str, Groups] = {}
    given: set[str] = set()
    by_name = _by_name(request.slots)
    for name in (name for name in known if name in by_name):
        groups, problems = _read_parameter(known[name], by_name[name])
        errors.extend(problems)
        if groups or problems:
            given.add(name)
            values[name] = groups
    errors.extend(_obsolete(by_name.keys() - known.keys(), values))
    errors.extend(_missing(query, given))
    errors.extend(_contradictions(query, given))
    errors.extend(_excess(query, values))
    if errors:
        raise Rejected(errors)
    return ReadQuery(query=query, return_type=ReturnType(request.return_type), values=values)


def _error(code: ErrorCode, context: str) -> RegistryError:
    return RegistryError(code=code, context=context)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def _end_of(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"…{text[-_SHOWN:]}")


def _request_errors(request: AdhocQuery, queries: Mapping[str, StoredQuery]) -> Iterator[RegistryError]:
    if request.id not in queries:
        names = ", ".join(query.name for query in queries.values())
        context = f"AdhocQuery id: found {_shown(request.id)}, expected that of {names}"
        yield _error(ErrorCode.UNKNOWN_STORED_QUERY, context)
    if request.return_type not in {kind.value for kind in ReturnType}:
        context = f"returnType: found {_shown(request.return_type)}, expected LeafClass or ObjectRef"
        yield _error(ErrorCode.REGISTRY, context)
    if len(request.slots) > MAX_PARAMETERS:
        context = f"AdhocQuery: found {len(request.slots)} Slots, expected at most {MAX_PARAMETERS}"
        yield _error(ErrorCode.REGISTRY, context)


def _by_name(slots: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, list[tuple[str, ...]]]:
    grouped: dict[str, list[tuple[str, ...]]] = {}
    for name, values in slots:
        grouped.setdefault(name, []).append(values)
    return grouped


def _obsolete(unknown: Iterable[str], values: Mapping[str, Groups]) -> Iterator[RegistryError]:
    """Parameters the query does not have are ignored, ebRS 6.3.2.1, and so are the names that once held a coding
    scheme, beside codes that have theirs. Elsewhere ignoring them would widen the question.
    """
    for name in sorted(one for one in unknown if len(one) <= MAX_ITEM_LENGTH and _OBSOLETE.match(one)):
        if not values.get(name.removesuffix("Scheme")):
            context = (
                f"{_shown(name)}: found an obsolete parameter, expected the scheme with the code, 'code^^codingScheme'"
            )
            yield _error(ErrorCode.REGISTRY, context)


def _read_parameter(parameter: Parameter, slots: Sequence[tuple[str, ...]]) -> tuple[Groups, list[RegistryError]]:
    """The groups of one parameter, and what is wrong with it."""
    if len(slots) > 1 and not parameter.and_or:
        context = f"{parameter.name}: found the Slot {len(slots)} times, expected it once"
        return (), [_error(ErrorCode.STORED_QUERY_PARAM_NUMBER, context)]
    if (parameter.required or parameter.alternative) and all(
        text.strip() in _EMPTY for texts in slots for text in texts
    ):
        return (), []
    groups, problems = [], []
    for texts in slots:
        try:
            groups.append(tuple(dict.fromkeys(_read_group(parameter, texts))))
        except ValueError as problem:
            problems.append(_error(ErrorCode.REGISTRY, f"{parameter.name}: {problem}"))
        except _SeveralValues as problem:
            problems.append(_error(ErrorCode.STORED_QUERY_PARAM_NUMBER, f"{parameter.name}: {problem}"))
    if parameter.type is ParameterType.STATUS and not problems:
        return _understood(parameter, groups)
    return tuple(group for group in groups if group), problems


class _SeveralValues(Exception):
    """Several values where one is meant."""


def _read_group(parameter: Parameter, texts: Sequence[str]) -> list[str]:
    """The values of one Slot. Raises ValueError, or _SeveralValues."""
    items: list[tuple[bool, str]] = []
    for text in texts:
        for item in _read_value(parameter, text):
            items.append(item)
            if len(items) > MAX_VALUES:
                raise ValueError(f"found more than {MAX_VALUES} values in one Slot, expected at most {MAX_VALUES}")
    values = _checked_items(parameter, items)
    if len(values) > 1 and not parameter.many:
        raise _SeveralValues(f"found {len(values)} values, expected one")
    return values


def _read_value(parameter: Parameter, text: str) -> Iterator[tuple[bool, str]]:
    """One Value: a list in parentheses, or a single value, which a list parameter must quote."""
    if len(text) > MAX_VALUE_LENGTH:
        raise ValueError(f"found a Value of {len(text)} characters, expected at most {MAX_VALUE_LENGTH}")
    text = text.strip()
    if text.startswith("("):
        if not text.endswith(")"):
            raise ValueError(f"found the list {_end_of(text)}, expected it to end with )")
        yield from _items(text[1:-1])
        return
    for number, item in enumerate(_items(text)):
        if parameter.many and (number or not item[0]):
            raise ValueError(f"found {_shown(text)}, expected a list in parentheses")
        yield item


def _items(text: str) -> Iterator[tuple[bool, str]]:
    """(was quoted, content) of each element between commas."""
    at = 0
    while True:
        match = _ITEM.match(text, at)
        if match is None:
            raise ValueError(
                f"found {_shown(text[at : at + _SHOWN + 1])}, expected 'text' in single quotes or a number"
            )
        quoted = match[1] is not None
        yield quoted, match[1].replace("''", "'") if quoted else match[2]
        at = match.end()
        if at == len(text):
            return
        if text[at] != ",":
            raise ValueError(f"found {_shown(text[at : at + _SHOWN + 1])} behind a value, expected a comma")
        at += 1


def _checked_items(parameter: Parameter, items: Sequence[tuple[bool, str]]) -> list[str]:
    """The values, each of the parameter's type. Raises ValueError that tells the first fault and counts them."""
    values, faults = [], []
    for quoted, item in items:
        try:
            values.append(_checked(parameter, item, quoted=quoted))
        except ValueError as fault:
            faults.append(f"found {_shown(item)}, {fault}")
    if faults:
        more = f" (and {len(faults) - 1} more values)" if len(faults) > 1 else ""
        raise ValueError(faults[0] + more)
    return values


def _checked(parameter: Parameter, item: str, *, quoted: bool) -> str:
    """The value in the form it is compared in. Quotes around a number are tolerated: old clients write them."""
    if len(item) > MAX_ITEM_LENGTH:
        raise ValueError(f"expected a value of at most {MAX_ITEM_LENGTH} characters")
    if parameter.type in (ParameterType.FROM, ParameterType.TO):
        return DTM.parse(item).earliest
    if parameter.type is ParameterType.LEVEL:
        if item not in ("1", "2"):
            raise ValueError("expected 1 or 2")
        return item
    if not quoted:
        raise ValueError("expected the value in single quotes")
    if not item:
        raise ValueError("expected a value between the quotes")
    return _checked_text(parameter, item)


_CLOSED_LISTS: Mapping[ParameterType, type[AssociationType | DocumentAvailability | ObjectType]] = {
    ParameterType.ASSOCIATION_TYPE: AssociationType,
    ParameterType.AVAILABILITY: DocumentAvailability,
    ParameterType.OBJECT_TYPE: ObjectType,
}


def _checked_text(parameter: Parameter, item: str) -> str:
    if parameter.type is ParameterType.CODE:
        return str(Code.parse(item))
    if parameter.type is ParameterType.PATIENT:
        return CX.parse(item.strip()).key
    closed = _CLOSED_LISTS.get(parameter.type)
    if closed is not None and item not in {str(member) for member in closed}:
        raise ValueError(f"expected one of {', '.join(closed)}")
    return item


def _understood(parameter: Parameter, groups: Sequence[tuple[str, ...]]) -> tuple[Groups, list[RegistryError]]:
    """A status that is not understood is ignored; when none is left the parameter is missing. ITI TF-2: 3.18.4.1.3"""
    known = {str(status) for status in AvailabilityStatus}
    kept = tuple(value for group in groups for value in group if value in known)
    if not kept and any(groups):
        found = ", ".join(_shown(value) for value in next(filter(None, groups))[:_FEW])
        context = f"{parameter.name}: found {found}, expected one of {', '.join(AvailabilityStatus)}"
        return (), [_error(ErrorCode.STORED_QUERY_MISSING_PARAM, context)]
    return ((kept,) if kept else ()), []


def _missing(query: StoredQuery, given: set[str]) -> Iterator[RegistryError]:
    """What is required, and groups of which something is required. ITI TF-2: 3.18.4.1.3"""
    for parameter in query.parameters:
        if parameter.required and parameter.name not in given:
            context = f"{parameter.name}: found no value, expected what {query.name} requires"
            yield _error(ErrorCode.STORED_QUERY_MISSING_PARAM, context)
    alternatives = tuple(parameter.name for parameter in query.parameters if parameter.alternative)
    for names in (alternatives, query.at_least_one):
        if names and given.isdisjoint(names):
            context = f"{query.name}: found none of {', '.join(names)}, expected one"
            yield _error(ErrorCode.STORED_QUERY_MISSING_PARAM, context)


def _contradictions(query: StoredQuery, given: set[str]) -> Iterator[RegistryError]:
    """Parameters of which each excludes the other."""
    alternatives = [p.name for p in query.parameters if p.alternative and p.name in given]
    if len(alternatives) > 1:
        context = f"{query.name}: found {', '.join(alternatives)}, expected only one of them"
        yield _error(ErrorCode.STORED_QUERY_PARAM_NUMBER, context)
    for parameter in query.parameters:
        if parameter.name in given and parameter.negates in given:
            context = f"{query.name}: found {parameter.negates} and {parameter.name}, expected only one of them"
            yield _error(ErrorCode.STORED_QUERY_PARAM_NUMBER, context)


def _excess(query: StoredQuery, values: Mapping[str, Groups]) -> Iterator[RegistryError]:
    """Bounds on what one request may cost."""
    total = sum(len(group) for groups in values.values() for group in groups)
    if total > MAX_ALL_VALUES:
        context = f"{query.name}: found {total} values in all Slots, expected at most {MAX_ALL_VALUES}"
        yield _error(ErrorCode.REGISTRY, context)
    patterns = [parameter.name for parameter in query.parameters if parameter.type is ParameterType.PATTERN]
    wild = sum(has_wildcard(value) for name in patterns for group in values.get(name, ()) for value in group)
    if wild > MAX_WILDCARDS:
        context = f"{', '.join(patterns)}: found {wild} values with % or _, expected at most {MAX_WILDCARDS}"
        yield _error(ErrorCode.REGISTRY, context)


def has_wildcard(pattern: str) -> bool:
    """Whether a LIKE pattern can match more than itself. ITI TF-2: 3.18.4.1.2.3.4"""
    return "%" in pattern or "_" in pattern
