"""Requests of the record of a person, each with the check of its answer: TD0.2 to TD1.6, TD3.3. DMP 3.

Whoever asks is a doctor with a VIHF about the patient, whom an open server takes at its word; the records are those of
`benchmarks.opened_records`. Beside them stands a person for each new record.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from access_policy.caller import PurposeOfUse
from access_policy.make_vihf import make_vihf, security_header
from benchmarks.new_persons import new_person
from benchmarks.plan import Plan
from benchmarks.requests import Request, Workload, registry_request, simple_request
from carnet.pki import Use
from tests import sts
from tests.builders import a_submission_set, an_association
from tests.hl7v3 import record_messages as messages
from xds.datatypes import CX
from xds.ebrim.write import write_submit_objects_request
from xds.metadata import Submission
from xds.vocabulary import AssociationType, AvailabilityStatus

_V3, _HABILITATIONS, _PATIENTS = "urn:hl7-org:v3", "urn:si-dmp-habilitations", "urn:si-dmp-patients"
_LIFE = timedelta(hours=4)
_SIGNED_AHEAD = 200
# Records that are closed and opened again, documents that are archived and shown again, holders who get another
# password, which takes long to make: each waits for its turn.
_IN_TURN, _HOLDERS = 50, 20
_FAMILY = "EXEMPLE"  # of the person in messages
_ASKED, _LISTED, _NAMED, _OTHER_DOCTOR = 100, 20, 20, "899700218896"
_OTHERS, _WITH_ACCOUNT, _ARCHIVED = 10**6, 2 * 10**6, 2 * 10**9
_STATUSES = (
    (AvailabilityStatus.APPROVED, AvailabilityStatus.ARCHIVED),
    (AvailabilityStatus.ARCHIVED, AvailabilityStatus.APPROVED),
)
Check = Callable[[Workload, int, bytes], str]


def asked_for(plan: Plan) -> Sequence[int]:
    """Patients whose records are asked for: enough that none is asked for twice at once."""
    return plan.queried[:_ASKED]


def holds(mark: bytes) -> Check:
    """An answer in which this stands."""

    def problem(_workload: Workload, _number: int, answer: bytes) -> str:
        return "" if mark in answer else f"expected {mark.decode()}, found {answer[-600:].decode(errors='replace')}"

    return problem


IS_ACCEPTED, IS_DONE = holds(b'typeCode="AA"'), holds(b">DMPOk<")
IS_AUTHORISED = holds(b'code="VALIDE"')


def is_accepted_or_done(workload: Workload, number: int, answer: bytes) -> str:
    """What is wrong with the answer to what opens a record, or gives its holder an account."""
    return IS_ACCEPTED(workload, number, answer) and IS_DONE(workload, number, answer)


def existence(workload: Workload, number: int) -> Request:
    """Existence of a record and one's own authorisation [TD0.2]."""
    patient = _queried(workload, number)
    return _said("patients", f"{_V3}:PRPA_IN201307UV02", messages.record_query(ins=patient.id), patient)


def administrative_data(workload: Workload, number: int) -> Request:
    """The person of a record [TD1.3a]."""
    patient = _queried(workload, number)
    body = messages.record_query("CNSLT_DATA", ins=patient.id)
    return _said("patients", f"{_V3}:PRPA_IN201307UV02", body, patient)


def lists_records(workload: Workload, number: int, answer: bytes) -> str:
    """What is wrong with a list."""
    found, expected = answer.count(b"<ins>"), min(_LISTED, len(workload.plan.queried))
    wrong = "" if found == expected else f"found {found} records, expected {expected}"
    return IS_DONE(workload, number, answer) or wrong


def authorise(workload: Workload, number: int, who: str = sts.DOCTOR.identifier) -> Request:
    """One's own authorisation on a record, once more [TD0.3]."""
    body = f'<setAuthorization xmlns="{_HABILITATIONS}"><action>AJOUT</action></setAuthorization>'.encode()
    action = f"{_HABILITATIONS}:HabilitationsEndPoint:setAuthorization"
    return _said("habilitations", action, body, _queried(workload, number), who)


def authorisations(workload: Workload, number: int) -> Request:
    """Who is authorised on a record [TD1.6]."""
    name = "listAuthorizationByPatient"
    body = f'<{name} xmlns="{_HABILITATIONS}"><mode>ACTIVE</mode></{name}>'.encode()
    action = f"{_HABILITATIONS}:HabilitationsEndPoint:{name}"
    return _said("habilitations", action, body, _queried(workload, number))


def authorised_before(workload: Workload) -> Sequence[Request]:
    """Another doctor becomes one who is authorised on a few records."""
    numbers = range(min(_LISTED, len(workload.plan.queried)))
    return [authorise(workload, number, _OTHER_DOCTOR) for number in numbers]


def list_records(workload: Workload, number: int) -> Request:
    """The records that one is authorised on [TD0.4]."""
    body, action = f'<patientList xmlns="{_PATIENTS}"/>'.encode(), f"{_PATIENTS}:PatientSpecificEndPoint:patientList"
    return _said("patients", action, body, _queried(workload, number), _OTHER_DOCTOR)


def signed_ahead(_workload: Workload) -> Sequence[Request]:
    """The assertions about new persons, so that the client signs nothing while it is measured."""
    for number in range(_SIGNED_AHEAD):
        _security(new_person(number).key, sts.DOCTOR.identifier)
    return ()


def create(_workload: Workload, number: int) -> Request:
    """Open a record with the consent of its holder [TD1.1]."""
    patient = new_person(number)
    consent = messages.observation("CONSENTEMENT_OUVERTURE_DMP", "true")
    body = messages.record_request("PRPA_IN201311UV02", "CREA_RD", ins=patient.id, observations=consent)
    return _said("patients", f"{_V3}:PRPA_IN201311UV02", body, patient)


def change(workload: Workload, number: int, family: str = _FAMILY) -> Request:
    """The same administrative data once more, or under another family name [TD1.3b]."""
    patient, person = _queried(workload, number), messages.PERSON.replace(_FAMILY, family)
    body = messages.record_request("PRPA_IN201314UV02", "MODIF_DATA", ins=patient.id, person=person)
    return _said("patients", f"{_V3}:PRPA_IN201314UV02", body, patient)


def named(plan: Plan) -> Sequence[int]:
    """Patients with a family name of their own."""
    return plan.queried[:_NAMED]


def named_before(workload: Workload) -> Sequence[Request]:
    """They are given it."""
    return [change(workload, number, _family(number)) for number in range(len(named(workload.plan)))]


def find_person(workload: Workload, number: int) -> Request:
    """A regulator of emergency calls looks for a person by family name [TD0.5]."""
    number %= len(named(workload.plan))
    body, action = messages.patient_search(_family(number)), f"{_V3}:PRPA_IN201305UV02"
    return _said("patients", action, body, _queried(workload, number), purpose=PurposeOfUse.REGULATION)


def finds_person(workload: Workload, number: int, answer: bytes) -> str:
    """What is wrong with an answer that must name one person, who was looked for."""
    ins = _queried(workload, number % len(named(workload.plan))).id
    found = re.findall(rb'<patient .*?extension="(\d+)"', answer)
    return "" if found == [ins.encode()] else f"expected {ins}, found {answer[-600:].decode(errors='replace')}"


def _family(number: int) -> str:
    return f"{_FAMILY}{chr(ord('A') + number)}"


def in_turn(number: int) -> int:
    """Which record or document a request of those that undo each other is about."""
    return number % _IN_TURN


def records_in_turn(workload: Workload) -> Sequence[Request]:
    """Fresh ones, to be closed and reactivated."""
    return [create(workload, _OTHERS + number) for number in range(_IN_TURN)]


def close_or_reactivate(_workload: Workload, number: int) -> Request:
    """Close a record [TD1.4], the next time reactivate it [TD1.2]."""
    patient = new_person(_OTHERS + in_turn(number))
    if number // _IN_TURN % 2 == 0:
        given, status, reason = {"closing": "demande"}, "terminated", "FERM"
    else:
        consent = messages.observation("CONSENTEMENT_REACTIVATION_DMP", "true")
        given, status, reason = {"observations": consent}, "active", "REAC"
    body = messages.record_request("PRPA_IN201314UV02", reason, ins=patient.id, status=status, **given)
    return _said("patients", f"{_V3}:PRPA_IN201314UV02", body, patient)


def accounts_in_turn(workload: Workload) -> Sequence[Request]:
    """Fresh records whose holders have a web account [TD1.5a]."""
    numbers = range(_WITH_ACCOUNT, _WITH_ACCOUNT + _HOLDERS)
    channel = "<type>EMAIL</type><canal>anne@example.org</canal>"
    accounts = [_on_access("createPatientAccess", new_person(number), channel) for number in numbers]
    return [*(create(workload, number) for number in numbers), *accounts]


def holder_in_turn(number: int) -> int:
    """Whose account a request is about."""
    return number % _HOLDERS


def renew_access(_workload: Workload, number: int) -> Request:
    """Another login and password of an account [TD1.5d]."""
    return _on_access("updatePatientAccess", new_person(_WITH_ACCOUNT + holder_in_turn(number)))


def _on_access(name: str, patient: CX, inside: str = "") -> Request:
    action = f"{_PATIENTS}:PatientSpecificEndPoint:{name}"
    return _said("patients", action, f'<{name} xmlns="{_PATIENTS}">{inside}</{name}>'.encode(), patient)


def documents_in_turn(workload: Workload) -> Sequence[Request]:
    """Fresh ones, to be archived and shown again; their numbers are far from those of ITI-42 and ITI-57."""
    bodies = (workload.submissions.register(_ARCHIVED + number, 1) for number in range(_IN_TURN))
    return [registry_request(body, "urn:ihe:iti:2007:RegisterDocumentSet-b") for body in bodies]


def archive_or_show(workload: Workload, number: int) -> Request:
    """Archive a document, the next time show it again [TD3.3c]."""
    place = in_turn(number)
    before, after = _STATUSES[number // _IN_TURN % 2]
    trigger = an_association(
        association_type=AssociationType.UPDATE_AVAILABILITY_STATUS,
        target=workload.submissions.registered_uuid(_ARCHIVED + place, 1),
        original_status=before,
        new_status=after,
    )
    patient = workload.documents.patient(workload.submissions.patient(_ARCHIVED + place)).ins
    submission = Submission(submission_set=a_submission_set(patient_id=patient), associations=(trigger,))
    return registry_request(write_submit_objects_request(submission.objects), "urn:ihe:iti:2010:UpdateDocumentSet")


def _queried(workload: Workload, number: int) -> CX:
    return workload.documents.patient(workload.queried(number)).ins


def _said(
    door: str,
    action: str,
    body: bytes,
    patient: CX,
    who: str = sts.DOCTOR.identifier,
    *,
    purpose: PurposeOfUse = PurposeOfUse.NORMAL,
) -> Request:
    return simple_request(f"/xds/{door}", body, action, header=_security(patient.key, who, purpose))


@cache
def _security(patient: str, who: str, purpose: PurposeOfUse = PurposeOfUse.NORMAL) -> str:
    """wsse:Security with a doctor's VIHF about a patient, which clients show again while it is valid."""
    signer, now = sts.card()[Use.SIGNATURE], datetime.now(UTC).replace(microsecond=0)
    claim = sts.a_claim(subject=who, patient_id=CX(patient), purpose=purpose, life=_LIFE)
    return security_header(make_vihf(claim, signer.certificate, signer.key, now=now)).decode()
