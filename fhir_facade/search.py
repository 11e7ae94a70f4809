"""Reading a search: the parameters of one resource type, in order, become one Criteria. FHIR R4 3.1.1."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from fhir_facade.list_search_parameters import LIST_SEARCH_PARAMETERS
from fhir_facade.operation_outcome import bad_request
from fhir_facade.patients import Patients
from fhir_facade.relations import related_to
from fhir_facade.search_names import first_word, table_name, type_named
from fhir_facade.search_parameters import SEARCH_PARAMETERS
from fhir_facade.search_presence import ELSEWHERE, narrow_missing
from fhir_facade.search_shape import SHAPING
from fhir_facade.search_values import CONTROL, MAX_VALUES, Question, SearchParameter, split
from registry.criteria import Criteria
from xds.affinity_domain import AffinityDomain
from xds.vocabulary import AvailabilityStatus

SCOPES = ("patient", "subject", "patient.identifier", "identifier", "_id")
# Parameters of the result that are read elsewhere, or that change nothing here.
RESULT_PARAMETERS = ("_count", "_format", "_pretty", "_after", "_sort", "_total", "_type", *SHAPING)
_NOT_SUPPORTED = frozenset({"_contained", "_has", "_filter", "_text", "_content"})
_HARMLESS = (("_contained", "false"),)  # what is served anyway
TABLES: Mapping[str, Mapping[str, SearchParameter]] = {
    "DocumentReference": {one.name: one for one in SEARCH_PARAMETERS},
    "List": {one.name: one for one in LIST_SEARCH_PARAMETERS},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSearch:
    """The criteria, whether nothing can fit them, and the parameters that were applied, as given."""

    criteria: Criteria
    finds_nothing: bool
    applied: tuple[tuple[str, str], ...]


def read_search(
    resource: str, parameters: Iterable[tuple[str, str]], patients: Patients, *, criteria: Criteria, strict: bool
) -> ReadSearch:
    """Criteria of a search. Raises FhirProblem for a value, modifier or demand that is not served.

    An unknown parameter is ignored, or refused with `strict` (Prefer: handling=strict). On-demand documents are found
    by their identifiers alone: the types of entries have no parameter, and the default of ITI-18 is stable ones.
    """
    table, applied, asked, finds_nothing = TABLES[resource], [], set[str](), False
    for name, text in parameters:
        parameter = _asked(table_name(name), table)
        if parameter is None:
            _check_unknown(name, text, table, strict=strict)
            continue
        question = Question(
            criteria=criteria,
            identified=patients.of_identifier,
            referenced=lambda reference: patients.subject({"reference": reference}),
            related_to=partial(related_to, patients),
            now=patients.registry.now,
            home_community_id=patients.registry.domain.home_community_id,
            base_url=patients.base_url,
            type_named=type_named(name),
        )
        narrowed = parameter.narrow(question, parameter, _values(name, text))
        criteria, finds_nothing = narrowed or criteria, finds_nothing or narrowed is None
        applied.append((name, text))
        asked.add(table_name(name))
    if not asked.intersection(SCOPES):
        raise bad_request("expected patient, patient.identifier, identifier or _id", code="required")
    if criteria.stable and (criteria.logical_ids or criteria.entry_uuids or criteria.unique_ids):
        criteria = replace(criteria, on_demand=True)
    return ReadSearch(criteria=criteria, finds_nothing=finds_nothing, applied=tuple(applied))


def _asked(name: str, table: Mapping[str, SearchParameter]) -> SearchParameter | None:
    """The parameter of this name; with a modifier that it takes, one that narrows so. None for any other name."""
    if name in table:
        return table[name]
    base, _, modifier = name.partition(":")
    if modifier == "missing" and base in table and base not in ELSEWHERE:
        return replace(table[base], narrow=narrow_missing)
    narrow = dict(table[base].modifiers).get(modifier) if base in table else None
    return None if narrow is None else replace(table[base], narrow=narrow)


def _values(name: str, text: str) -> Sequence[str]:
    values = split(text)
    if len(values) > MAX_VALUES:
        raise bad_request(f"{name}: found {len(values)} values, expected at most {MAX_VALUES}", code="too-costly")
    if any(not value for value in values):
        raise bad_request(f"{name}: found an empty value", expression=name)
    if CONTROL.search(text):
        raise bad_request(f"{name}: found a control character", expression=name)
    return values


def _check_unknown(name: str, text: str, table: Mapping[str, SearchParameter], *, strict: bool) -> None:
    """What narrows a known parameter is refused, never ignored: the answer would have more than was asked for."""
    base = first_word(name)
    if name in RESULT_PARAMETERS or (name, text) in _HARMLESS:
        return
    if base in _NOT_SUPPORTED:
        raise bad_request(f"{base} is not supported", code="not-supported", expression=base)
    if base in RESULT_PARAMETERS or any(base == first_word(one) for one in table):
        kind = "chain" if "." in name else "modifier" if ":" in name else "form"
        raise bad_request(f"{name}: the {kind} is not supported", code="not-supported", expression=name)
    if strict:
        raise bad_request(f"{name}: unknown search parameter", code="not-supported", expression=name)


def common(search: ReadSearch, domain: AffinityDomain) -> ReadSearch:
    """A search of documents that asks for no status finds none that was deleted. DMP 3 (TD3.3c), 15; PDSm 8"""
    if search.criteria.statuses or AvailabilityStatus.DELETED not in domain.statuses:
        return search
    statuses = tuple(one for one in AvailabilityStatus if one is not AvailabilityStatus.DELETED)
    return replace(search, criteria=replace(search.criteria, statuses=statuses))
