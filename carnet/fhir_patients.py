"""The Patient resource of the FHIR door: read and search, and ITI-104 where the domain takes patients by FHIR."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import flask

from access_policy.caller import Caller
from audit.occurrence import Occurrence
from carnet.auditing import Auditor
from carnet.fhir_answers import is_strict, read_answer, written
from carnet.fhir_bodies import read_resource
from carnet.fhir_formats import answer, wanted
from carnet.fhir_questions import question
from dmp.record_desk import RecordDesk
from fhir_facade import iti78_mobile_patient_demographics_query as iti78
from fhir_facade import iti83_mobile_patient_identifier_cross_reference_query as iti83
from fhir_facade import iti104_patient_identity_feed_fhir as iti104
from fhir_facade import patient
from fhir_facade.patient import Describe, to_patient
from fhir_facade.patients import Patients
from fhir_facade.record_patient import record_patient
from fhir_facade.times import to_http_date, to_instant
from registry.sql.patient_resources import PatientRow
from registry.store import Registry
from xds.datatypes import CX, DTM


def add_patients(
    door: flask.Blueprint,
    registry: Registry,
    *,
    base_url: str,
    caller_of: Callable[..., Caller],
    auditor: Auditor,
    desk: RecordDesk | None = None,
) -> None:
    """`caller_of` gives the caller that may run a transaction, and refuses any other. `desk`: where patients have
    records, which say who they are.
    """

    def known_to(caller: Caller) -> Patients:
        return Patients(registry=registry, caller=of_person(caller), base_url=base_url)

    def described_to(caller: Caller) -> Describe:
        return to_patient if desk is None else partial(record_patient, desk, of_person(caller))

    def of_person(caller: Caller) -> Caller:
        """A record is of a person: proof that names a former identifier of one is about the same."""
        if desk is None or caller.patient_id is None:
            return caller
        with registry.units.read() as connection:
            return replace(caller, patient_id=CX(registry.present_patient(connection, caller.patient_id.key)))

    @door.get("/Patient/<fhir_id>")
    def read_patient(fhir_id: str) -> flask.Response:
        wanted()
        caller = caller_of("ITI-67", "Patient.r")
        with auditor.interaction(auditor.whose("ITI-78", question()[0], [], caller), caller) as about:
            resource, row = patient.read(known_to(caller), fhir_id, described_to(caller))
            about.patient = row.patient_id.key
            return read_answer("Patient", resource, _versioned(row))

    @door.get("/Patient")
    @door.route("/Patient/_search", methods=("GET", "POST"))
    def search_patients() -> flask.Response:
        raw, parameters = question()
        wanted()
        caller = caller_of("ITI-67", "Patient.s")
        with auditor.interaction(auditor.whose("ITI-78", raw, parameters, caller), caller):
            return answer(
                iti78.handle(known_to(caller), parameters, strict=is_strict(), described=described_to(caller))
            )

    @door.get("/Patient/$ihe-pix")
    def cross_reference() -> flask.Response:
        raw, parameters = question()
        wanted()
        caller = caller_of("ITI-67", "Patient.s")
        with auditor.interaction(auditor.whose("ITI-83", raw, parameters, caller), caller):
            return answer(iti83.handle(known_to(caller), parameters))

    @door.post("/Patient")
    def create_patient() -> flask.Response:
        wanted()
        caller = caller_of("ITI-104")
        asked = flask.request.headers.get("If-None-Exist", "")
        with auditor.change(Occurrence(event="ITI-104"), caller):
            return _fed(iti104.create(known_to(caller), read_resource()[0], if_none_exist=asked), base_url)

    @door.put("/Patient")
    def update_patients() -> flask.Response:
        wanted()
        caller = caller_of("ITI-104")
        with auditor.change(Occurrence(event="ITI-104"), caller):
            query = {name: value for name, value in flask.request.args.items() if name != "_format"}
            return _fed(iti104.update(known_to(caller), query, read_resource()[0], if_match=_if_match()), base_url)

    @door.put("/Patient/<fhir_id>")
    def update_patient(fhir_id: str) -> flask.Response:
        wanted()
        caller = caller_of("ITI-104")
        with auditor.change(Occurrence(event="ITI-104"), caller):
            return _fed(
                iti104.update_by_id(known_to(caller), fhir_id, read_resource()[0], if_match=_if_match()), base_url
            )


def _fed(fed: iti104.FedPatient, base_url: str) -> flask.Response:
    """201 with the place of what is new, 200 for what was there. FHIR R4 3.1.0.8"""
    headers = _versioned(fed.row)
    if fed.is_new:
        headers |= {"Location": f"{base_url}/Patient/{fed.row.key}/_history/{fed.row.version}"}
    return written(fed.resource, 201 if fed.is_new else 200, headers)


def _versioned(row: PatientRow) -> dict[str, str]:
    """The headers of a Patient that was fed; what the registry knows beside has no version."""
    if not row.version:
        return {}
    return {"ETag": f'W/"{row.version}"', "Last-Modified": to_http_date(to_instant(DTM(row.updated)))}


def _if_match() -> str:
    return flask.request.headers.get("If-Match", "")
