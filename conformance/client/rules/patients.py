"""Whose record a message is about. DMP 3, 8.5."""

import re

from conformance.client.exchanges import Exchange
from conformance.client.fhir_messages import each, ins_of, provided
from conformance.nist.registry_objects import SUBMISSION_SET, slot_values
from conformance.nist.vocabulary import RIM

INS_OIDS = tuple(f"1.2.250.1.213.1.4.{arc}" for arc in (8, 9, 10, 11))
INS_CX = re.compile(r"[0-9][0-9AB]{14}\^\^\^&(" + "|".join(re.escape(one) for one in INS_OIDS) + r")&ISO\^NH")
SUBMISSION_PATIENT = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
_OF_A_PATIENT = ("List", "DocumentReference")


def patient_of(exchange: Exchange) -> str:
    """The INS that the Body names, without its authority; empty when it names none."""
    if exchange.received.is_fhir:
        named = [one.resource for one in provided(exchange.received.resource) if one.kind in _OF_A_PATIENT]
        return ins_of(next(iter(each(named, "subject")), {}))[1]
    payload = exchange.received.payload
    if payload is None:
        return ""
    if exchange.transaction in ("ITI-41", "ITI-57"):
        sets = exchange.objects.of(SUBMISSION_SET)
        return identifier(sets[0].identifiers, SUBMISSION_PATIENT).partition("^")[0] if sets else ""
    if exchange.transaction == "ITI-18":
        return query_patient(exchange)
    for path in ("patientIdentifier/{*}value", "patient/{*}id"):
        for one in payload.iterfind(f".//{{*}}{path}"):
            if one.get("root") in INS_OIDS:
                return one.get("extension", "")
    return ""


def query_patient(exchange: Exchange) -> str:
    """The patient parameter of a stored query; empty for queries by identifier."""
    query = None if exchange.received.payload is None else exchange.received.payload.find(f"{{{RIM}}}AdhocQuery")
    for name in ("$XDSDocumentEntryPatientId", "$XDSSubmissionSetPatientId", "$XDSFolderPatientId", "$patientId"):
        values = None if query is None else slot_values(query, name)
        if values:
            return values[0].strip("'()").partition("^")[0]
    return ""


def identifier(elements: list, scheme: str) -> str:  # type: ignore[type-arg]
    """Value of the ExternalIdentifier of a scheme."""
    return next((one.get("value", "").strip() for one in elements if one.get("identificationScheme") == scheme), "")
