"""Callers of every kind, records in every state and documents of every sort, for tests of the policy."""

from collections.abc import Iterator
from itertools import product
from typing import Any

from access_policy.caller import AuthenticationMode, Caller, PurposeOfUse, Standing
from access_policy.document_facts import DocumentFacts, Trait
from access_policy.matrix import ACTIVITIES, BY_ROLE, PHARMACIST, ROLES, SECTIONS
from access_policy.record_facts import Authorisation, RecordFacts, RecordState
from access_policy.tables import published
from tests.builders import PATIENT
from xds.datatypes import Code
from xds.vocabulary import AvailabilityStatus

NOW = "20260310093000"
G15, SPECIALITIES = "1.2.250.1.71.1.2.7", "1.2.250.1.71.4.2.5"
DOCTOR = (Code(code="10", coding_scheme=G15), Code(code="SM04", coding_scheme=SPECIALITIES))
OCCUPATIONAL = (DOCTOR[0], Code(code="SM25", coding_scheme=SPECIALITIES))
NURSE = (Code(code="60", coding_scheme=G15),)
PODIATRIST = (Code(code="80", coding_scheme=G15),)
NURSING_AUXILIARY = (Code(code="35", coding_scheme=G15),)
SECRETARY = (Code(code="SECRETARIAT_MEDICAL", coding_scheme="1.2.250.1.213.1.1.4.6"),)
PERSON, STRUCTURE = "801234567897", "1690000014"
CONSULTATION = "11488-4^^2.16.840.1.113883.6.1"
SURGERY_ADMISSION = "67851-6^^2.16.840.1.113883.6.1"


def a_caller(**changes: Any) -> Caller:
    """A cardiologist with her card, in normal mode."""
    defaults: dict[str, Any] = {
        "name": PERSON,
        "roles": DOCTOR,
        "organisations": (STRUCTURE,),
        "mode": AuthenticationMode.DIRECT,
        "purpose": PurposeOfUse.NORMAL,
        "purposes": (Code(code="normal", coding_scheme="1.2.250.1.213.1.1.4.248"),),
        "patient_id": PATIENT,
    }
    return Caller(**(defaults | changes))


def a_patient(standing: Standing = Standing.PATIENT, **changes: Any) -> Caller:
    return Caller(**({"name": PATIENT.key, "standing": standing, "patient_id": PATIENT} | changes))


def a_record(**changes: Any) -> RecordFacts:
    """An open record that authorises the caller."""
    defaults: dict[str, Any] = {
        "patient": PATIENT.key,
        "now": NOW,
        "state": RecordState.OPEN,
        "authorisation": Authorisation.VALID,
    }
    return RecordFacts(**(defaults | changes))


def a_document(**changes: Any) -> DocumentFacts:
    """A consultation report of somebody else."""
    defaults: dict[str, Any] = {"type": CONSULTATION, "status": AvailabilityStatus.APPROVED}
    return DocumentFacts(**(defaults | changes))


def own(**changes: Any) -> DocumentFacts:
    """A document that the caller wrote, for the caller's structure."""
    authors, structures = frozenset({f"{PERSON}^1.2.250.1.71.4.2.1"}), frozenset({f"{STRUCTURE}^1.2.250.1.71.4.2.2"})
    return a_document(**({"authors": authors, "structures": structures} | changes))


def roles_of_columns() -> Iterator[tuple[str, tuple[Code, ...]]]:
    """(column id, roles) of every way into every column of the matrix."""
    for column in published().matrix.columns:
        for system, code in sorted(column.professions):
            profession = Code(code=code, coding_scheme=system)
            seconds: list[Code | None] = [None]
            if (system, code) == PHARMACIST:
                seconds = [Code(code=one, coding_scheme=SECTIONS) for one in sorted(column.sections)]
            if (system, code) == BY_ROLE:
                seconds = [Code(code=one, coding_scheme=ROLES) for one in sorted(column.roles)]
                seconds += [Code(code=one, coding_scheme=ACTIVITIES) for one in sorted(column.activities)]
            for second in seconds:
                yield column.id, (profession,) if second is None else (profession, second)


def every_caller() -> Iterator[Caller]:
    """Each way into each column and those that fit none, in every mode of authentication and access; the patient side."""
    roles = [one for _, one in roles_of_columns()] + [OCCUPATIONAL, NURSING_AUXILIARY, SECRETARY]
    for mode, purpose, one in product(AuthenticationMode, PurposeOfUse, roles):
        yield a_caller(mode=mode, purpose=purpose, roles=one)
    yield from (a_patient(), a_patient(Standing.REPRESENTATIVE))


def every_document() -> Iterator[DocumentFacts]:
    """Traits, statuses, authorship; a type that podiatrists read, one they do not, one that nobody does."""
    traits = [*(Trait(bits) for bits in range(16)), Trait.BY_PATIENT, Trait.SIGNATURE, Trait.IMAGING]
    types = (CONSULTATION, SURGERY_ADMISSION, "unlisted^^1.2.3")
    for make, trait, status, kind in product((a_document, own), traits, AvailabilityStatus, types):
        yield make(traits=trait, status=status, type=kind)
