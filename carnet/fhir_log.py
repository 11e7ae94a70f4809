"""AuditEvent at the FHIR door: the journal of a record, by Retrieve ATNA Audit Event [ITI-81]."""

from collections.abc import Callable

import flask

from access_policy.caller import Caller
from audit.objects import a_log
from audit.occurrence import Occurrence
from carnet.auditing import Auditor
from carnet.fhir_answers import is_strict
from carnet.fhir_formats import answer, wanted
from carnet.fhir_questions import question
from fhir_facade import iti81_retrieve_atna_audit_event as iti81
from fhir_facade.patients import Patients
from registry.store import Registry


def add_log(
    door: flask.Blueprint,
    registry: Registry,
    *,
    base_url: str,
    caller_of: Callable[..., Caller],
    auditor: Auditor,
    seen_by: iti81.SeenBy,
) -> None:
    """`caller_of` gives the caller that may run a transaction, and refuses any other."""

    def known_to(caller: Caller) -> Patients:
        return Patients(registry=registry, caller=caller, base_url=base_url)

    def asked(caller: Caller) -> Occurrence:
        """A reading of the log is on record with the person of the proof. DICOM PS3.15: A.5.3.2"""
        patient = "" if caller.patient_id is None else caller.patient_id.key
        return Occurrence(event="ITI-81", patient=patient, objects=(a_log(f"{base_url}/AuditEvent"),))

    @door.get("/AuditEvent")
    @door.route("/AuditEvent/_search", methods=("GET", "POST"))
    def search_log() -> flask.Response:
        _, parameters = question()
        wanted()
        caller = caller_of("ITI-81", "AuditEvent.s")
        with auditor.interaction(asked(caller), caller):
            return answer(iti81.handle(known_to(caller), seen_by, parameters, strict=is_strict()))

    @door.get("/AuditEvent/<fhir_id>")
    def read_log(fhir_id: str) -> flask.Response:
        wanted()
        caller = caller_of("ITI-81", "AuditEvent.r")
        with auditor.interaction(asked(caller), caller):
            return answer(iti81.read(known_to(caller), seen_by, fhir_id))
