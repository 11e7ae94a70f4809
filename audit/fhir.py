"""The same record as a FHIR AuditEvent, in the patterns of Basic Audit Log Patterns (BALP). FHIR R4 AuditEvent.

Made from the record that is kept, so both forms say the same.
"""

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from audit.events import EVENTS
from audit.fhir_profiles import profile_of
from audit.record import Coded, Participant, ParticipantObject, Record
from audit.recorder import event_of
from xds.datatypes import CX
from xds.identifiers import is_oid

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_REST = {"system": f"{_TERMINOLOGY}/audit-event-type", "code": "rest", "display": "RESTful Operation"}
_INTERACTION = "http://hl7.org/fhir/restful-interaction"
_USER = {"system": f"{_TERMINOLOGY}/v3-ParticipationType", "code": "IRCP", "display": "information recipient"}
_APPLICATION_SERVER = {"system": f"{_TERMINOLOGY}/security-source-type", "code": "4", "display": "Application Server"}
_URI = "urn:ietf:rfc:3986"
# codeSystemName of DICOM -> system of FHIR; an OID is its URN, any other name stays.
_ENTITY_TYPES = {"1": "Person", "2": "System Object"}
_ROLES = {"1": "Patient", "3": "Report", "13": "Security Resource", "20": "Job", "24": "Query"}
_SYSTEMS: Mapping[str, str] = {
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "IHE Transactions": "urn:ihe:event-type-code",
    "RFC-3881": f"{_TERMINOLOGY}/audit-entity-type",
}


def write_audit_event(record: Record) -> bytes:
    """An `AuditEvent` in JSON."""
    name = event_of(record)
    event, profile = EVENTS.get(name), profile_of(record, name)
    codes = [_coding(one) for one in record.type_codes]
    is_rest = event is not None and bool(event.rest)
    interaction = {"system": _INTERACTION, "code": event.rest} if event is not None and event.rest else None
    resource: dict[str, Any] = {
        "resourceType": "AuditEvent",
        **({"meta": {"profile": [profile]}} if profile else {}),
        "type": _REST if is_rest else _coding(record.event_id),
        "subtype": ([interaction] if interaction else []) + [one for one in codes if one["system"] != _INTERACTION],
        "action": str(record.action),
        "recorded": record.time,
        "outcome": str(int(record.outcome)),
        "agent": [_agent(one) for one in record.participants],
        "source": _source(record),
    }
    if record.description:
        resource["outcomeDesc"] = record.description
    if record.purposes:
        resource["purposeOfEvent"] = [{"coding": [_coding(one)]} for one in record.purposes]
    if record.objects:
        resource["entity"] = [_entity(one, is_rest=is_rest) for one in record.objects]
    return orjson.dumps(resource)


def _coding(one: Coded) -> dict[str, str]:
    system = f"urn:oid:{one.system}" if is_oid(one.system) else _SYSTEMS.get(one.system, one.system)
    return {"system": system.replace(" ", "-"), "code": one.code, "display": one.text}


def _agent(one: Participant) -> dict[str, Any]:
    agent: dict[str, Any] = {"who": _who(one), "requestor": one.is_requestor}
    roles = [{"coding": [_coding(role)]} for role in one.roles]
    if one.user_name:
        agent |= {"type": {"coding": [_USER]}, "name": one.user_name, **({"role": roles} if roles else {})}
    elif roles:
        agent["type"] = roles[0]
    if one.alternative_user_id and one.user_name:
        agent["policy"] = [one.alternative_user_id]
    elif one.alternative_user_id:
        agent["altId"] = one.alternative_user_id
    if one.network:
        agent["network"] = {"address": one.network, "type": one.network_type}
    return agent


def _who(one: Participant) -> dict[str, Any]:
    """A person is named by the issuer of the assertion and its subject."""
    issuer = one.user_name.rpartition("@")[2].removesuffix(">")
    identifier = {"system": issuer, "value": one.user_id} if one.user_name and ":" in issuer else {"value": one.user_id}
    return {"identifier": identifier}


def _source(record: Record) -> dict[str, Any]:
    """The observer is the agent that is ours: the one with a process id, and no person."""
    ours = next((_who(one) for one in record.participants if one.alternative_user_id and not one.user_name), None)
    source: dict[str, Any] = {
        "observer": ours or {"identifier": {"value": record.source.id}},
        "type": [_APPLICATION_SERVER],
    }
    return {"site": record.source.site, **source} if record.source.site else source


def _entity(one: ParticipantObject, *, is_rest: bool) -> dict[str, Any]:
    """A search says all in its query: what it is of, and any detail, may not stand beside that. BALP 3:5.7.5.5"""
    entity: dict[str, Any] = {
        "what": {"identifier": _identifier(one)},
        "type": {"system": f"{_TERMINOLOGY}/audit-entity-type", "code": one.type, **_display(_ENTITY_TYPES, one.type)},
        "role": {"system": f"{_TERMINOLOGY}/object-role", "code": one.role, **_display(_ROLES, one.role)},
    }
    if one.life_cycle:
        entity["lifecycle"] = {"system": f"{_TERMINOLOGY}/dicom-audit-lifecycle", "code": one.life_cycle}
    if one.query is not None:
        entity["query"] = base64.b64encode(one.query).decode()
        if is_rest:
            del entity["what"]
            return entity
    if one.details:
        entity["detail"] = [
            {"type": detail.type, "valueBase64Binary": base64.b64encode(detail.value).decode()}
            for detail in one.details
        ]
    return entity


def _display(names: Mapping[str, str], code: str) -> dict[str, str]:
    """Where it is known: a profile that fixes a code fixes its display too."""
    return {"display": names[code]} if code in names else {}


def _identifier(one: ParticipantObject) -> dict[str, str]:
    if one.is_patient:
        patient = CX(one.id)
        return (
            {"system": f"urn:oid:{patient.authority}", "value": patient.id} if patient.authority else {"value": one.id}
        )
    value = f"urn:oid:{one.id}" if is_oid(one.id) else one.id
    return {"system": _URI, "value": value} if value.startswith("urn:") else {"value": value}
