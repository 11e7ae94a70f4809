"""Conditional interactions: the one resource that criteria find, the version that is meant. FHIR R4 3.1.0.5, 3.1.0.8.1.

What is conditional is decided in the unit of work of the change: nobody comes in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qsl

from access_policy.caller import Caller
from access_policy.visibility import Purpose
from fhir_facade.fhir_json import read_own_json
from fhir_facade.newest import current
from fhir_facade.operation_outcome import FhirProblem
from fhir_facade.patients import Patients
from fhir_facade.search import common, read_search
from fhir_facade.version_tags import check_entry_match, check_tags
from registry import patient_resources
from registry.criteria import Criteria, Form, Page
from registry.snapshot import Snapshot
from registry.sql.patient_resources import PatientRow
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.datatypes import CX
from xds.errors import Rejected
from xds.identifiers import UUID_PREFIX
from xds.metadata import Association, RegistryObject, Submission


def criteria_of(text: str, kind: str, base_url: str) -> list[tuple[str, str]]:
    """The parameters of `If-None-Exist`, which clients send with the type and the base before them or without."""
    query = text.strip().removeprefix(f"{base_url}/").removeprefix(kind).removeprefix("?")
    return parse_qsl(query, keep_blank_values=True)


def asked_criteria(
    registry: Registry, query: Sequence[tuple[str, str]], caller: Caller, *, base_url: str
) -> Criteria | None:
    """What the criteria ask of documents; None where nothing can fit.

    Raises FhirProblem 412 where nothing is asked for, 400 for what no search takes.
    """
    if not query:
        raise FhirProblem(412, "required", "found no criteria, expected DocumentReference?identifier=system|value")
    patients = Patients(registry=registry, caller=caller, base_url=base_url)
    asked = read_search("DocumentReference", query, patients, criteria=Criteria(), strict=True)
    search = common(asked, registry.domain)
    return None if search.finds_nothing else search.criteria


def the_one(registry: Registry, query: Sequence[tuple[str, str]], caller: Caller, *, base_url: str) -> str:
    """Logical id of the one document that the criteria find, empty for none. Raises FhirProblem 412 for several too."""
    criteria = asked_criteria(registry, query, caller, base_url=base_url)
    if criteria is None:
        return ""
    with registry.seen_by(caller, Purpose.METADATA) as snapshot:
        return _only(snapshot, criteria)


def _only(snapshot: Snapshot, criteria: Criteria) -> str:
    found = snapshot.find(criteria, Page(size=2), Form.REFERENCE)
    if len(found) > 1:
        raise FhirProblem(412, "multiple-matches", "found several documents by these criteria, expected one")
    return found[0].logical_id.removeprefix(UUID_PREFIX) if found else ""


class AlreadyThere(Rejected):
    """What was not to be made twice is there, under this logical id."""

    def __init__(self, fhir_id: str) -> None:
        super().__init__(())
        self.fhir_id = fhir_id


class Unmet(Rejected):
    """A condition does not hold; the answer that says so."""

    def __init__(self, problem: FhirProblem) -> None:
        super().__init__(())
        self.problem = problem


class Condition(Protocol):
    """What has to hold when a submission is registered."""

    def check(self, registry: Registry, unit: UnitOfWork, submission: Submission, caller: Caller) -> None:
        """In the unit of work that registers it, once nobody else can change that. Raises AlreadyThere, Unmet."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NoneExist:
    """`If-None-Exist` of a document; `text` as it was sent. FHIR R4 3.1.0.8.1"""

    text: str
    criteria: Criteria

    def check(self, registry: Registry, unit: UnitOfWork, submission: Submission, caller: Caller) -> None:
        """There is none. Raises AlreadyThere, Unmet for several."""
        _lock(registry, unit, submission, self.text)
        try:
            found = _only(registry.seen_in(unit, caller, Purpose.METADATA), self.criteria)
        except FhirProblem as problem:
            raise Unmet(problem) from None
        if found:
            raise AlreadyThere(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """`ifMatch` of an entry of a Bundle that changes a stored object; `at` is its place. FHIR R4 3.1.0.5"""

    kind: type[RegistryObject]
    entry_uuid: str
    tags: str
    at: str

    def check(self, registry: Registry, unit: UnitOfWork, submission: Submission, caller: Caller) -> None:
        """It still is this version. Raises Unmet."""
        _lock(registry, unit, submission)
        try:
            self.holds(registry.seen_in(unit, caller, Purpose.METADATA))
        except FhirProblem as problem:
            raise Unmet(problem) from None

    def holds(self, snapshot: Snapshot) -> None:
        """Raises FhirProblem 412 for another version than is there, and where the caller may see none."""
        found = current(snapshot, self.kind, self.entry_uuid)
        if found is None:
            check_tags(self.tags, set(), at=self.at)
        else:
            check_entry_match(self.tags, read_own_json(found.rendering.decode()), self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientMatch:
    """`ifMatch` of an entry of a Bundle that feeds a Patient, None where it says no identifier of the domain."""

    patient_id: CX | None
    tags: str
    at: str

    def check(self, registry: Registry, unit: UnitOfWork, submission: Submission, caller: Caller) -> None:
        """It still is this version. Raises Unmet."""
        _lock(registry, unit, submission)
        asked = [] if self.patient_id is None else [self.patient_id]
        present = patient_resources.locked(registry, unit, asked)
        try:
            check_patient_version(self.tags, next(iter(present.values()), None), at=self.at)
        except FhirProblem as problem:
            raise Unmet(problem) from None


def check_patient_version(if_match: str, present: PatientRow | None, *, at: str = "") -> None:
    """`If-Match` of a Patient that is fed; where there is none, it is of no version. Raises FhirProblem 412."""
    check_tags(if_match, set() if present is None else {str(present.version)}, at=at)


def _lock(registry: Registry, unit: UnitOfWork, submission: Submission, *further: str) -> None:
    """All that registering locks is locked here at once: who waits for one of these never holds another."""
    owner = submission.submission_set
    names = {one.unique_id for one in submission.objects if not isinstance(one, Association) and one.unique_id}
    registry.lock(unit, None if owner is None else owner.patient_id, names | {*further})
