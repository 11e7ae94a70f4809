"""Conditional interactions: the one resource that criteria find. FHIR R4 3.1.0.6.1, 3.1.0.8.1."""

from collections.abc import Sequence
from urllib.parse import parse_qsl

from access_policy.caller import Caller
from access_policy.visibility import Purpose
from fhir_facade.operation_outcome import FhirProblem
from fhir_facade.patients import Patients
from fhir_facade.search import common, read_search
from registry.criteria import Criteria, Form, Page
from registry.store import Registry
from xds.identifiers import UUID_PREFIX


def criteria_of(text: str, kind: str, base_url: str) -> list[tuple[str, str]]:
    """The parameters of `If-None-Exist`, which clients send with the type and the base before them or without."""
    query = text.strip().removeprefix(f"{base_url}/").removeprefix(kind).removeprefix("?")
    return parse_qsl(query, keep_blank_values=True)


def the_one(registry: Registry, query: Sequence[tuple[str, str]], caller: Caller, *, base_url: str) -> str:
    """Logical id of the one document that the criteria find, empty for none.

    Raises FhirProblem 412 for several and where nothing is asked for, 400 for what no search takes.
    """
    if not query:
        raise FhirProblem(412, "required", "found no criteria, expected DocumentReference?identifier=system|value")
    patients = Patients(registry=registry, caller=caller, base_url=base_url)
    asked = read_search("DocumentReference", query, patients, criteria=Criteria(), strict=True)
    search = common(asked, registry.domain)
    if search.finds_nothing:
        return ""
    with registry.seen_by(caller, Purpose.METADATA) as snapshot:
        found = snapshot.find(search.criteria, Page(size=2), Form.REFERENCE)
    if len(found) > 1:
        raise FhirProblem(412, "multiple-matches", "found several documents by these criteria, expected one")
    return found[0].logical_id.removeprefix(UUID_PREFIX) if found else ""
