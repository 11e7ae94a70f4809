"""Golden audit records: what each must say, field by field.

The expected fields restate the tables of the standard; nothing of the product's own table is used for them.
"""

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

from tests import messages
from tests.audit_store import Trail
from tests.builders import PATIENT, REPOSITORY, TEST_INS, a_submission, a_submission_set, an_entry
from tests.servers import Server
from xds.datatypes import CX
from xds.ebrim.read import read_document_entries
from xds.metadata import DocumentEntry

SITE = "1.2.250.1.999.1"
SUBMISSION_SET = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
UNKNOWN_PATIENT = CX(f"199999999999999^^^&{TEST_INS}&ISO^NH")
# A merge is not undone: each takes patients of its own.
NUMBERS = itertools.count(258063523804200)
DOCUMENT, SET_ROLE = ("2", "3"), ("2", "20")


@dataclass(frozen=True, kw_only=True)
class Golden:
    """What one record must say; `ours` tells which end of the transaction this server is."""

    transaction: str
    name: str
    event: tuple[str, str]
    action: str
    service: str
    ours: str = "destination"
    outcome: int = 0
    description: str = ""
    patient: str = ""
    patient_details: list[tuple[str, str]] = field(default_factory=list)
    objects: list[tuple[Any, ...]] = field(default_factory=list)
    system: str = "IHE Transactions"

    def fields(self) -> dict[str, Any]:
        client = ("127.0.0.1", "", True, ["110153" if self.ours == "destination" else "110152"], "2")
        service = (self.service, "process", False, ["110152" if self.ours == "destination" else "110153"], "1")
        patient = ("1", "1", "2", self.patient, "", False, self.patient_details)
        return {
            "event": self.event,
            "type": ((self.transaction, self.system, self.name),),
            "action": self.action,
            "outcome": self.outcome,
            "description": self.description,
            "source": ("node-1", SITE),
            "participants": [client, service] if self.ours == "destination" else [service, client],
            "objects": ([patient] if self.patient else []) + self.objects,
        }


IMPORT, EXPORT, QUERY = ("110107", "Import"), ("110106", "Export"), ("110112", "Query")
PATIENT_RECORD = ("110110", "Patient Record")
ROWS = {
    "ITI-8": Golden(
        transaction="ITI-8", name="Patient Identity Feed", event=PATIENT_RECORD, action="C", service="mllp"
    ),
    "ITI-44": Golden(
        transaction="ITI-44",
        name="Patient Identity Feed HL7 V3",
        event=PATIENT_RECORD,
        action="C",
        service="/xds/patients",
    ),
    "ITI-18": Golden(
        transaction="ITI-18", name="Registry Stored Query", event=QUERY, action="E", service="/xds/registry"
    ),
    "ITI-51": Golden(
        transaction="ITI-51", name="Multi-Patient Stored Query", event=QUERY, action="E", service="/xds/registry"
    ),
    "ITI-41": Golden(
        transaction="ITI-41",
        name="Provide and Register Document Set-b",
        event=IMPORT,
        action="C",
        service="/xds/repository",
    ),
    "ITI-42": Golden(
        transaction="ITI-42", name="Register Document Set-b", event=IMPORT, action="C", service="/xds/registry"
    ),
    "ITI-61": Golden(
        transaction="ITI-61",
        name="Register On-Demand Document Entry",
        event=IMPORT,
        action="C",
        service="/xds/registry",
    ),
    "ITI-57": Golden(
        transaction="ITI-57", name="Update Document Set", event=IMPORT, action="U", service="/xds/registry"
    ),
    "ITI-92": Golden(
        transaction="ITI-92", name="Restricted Update Document Set", event=IMPORT, action="U", service="/xds/registry"
    ),
    "ITI-62": Golden(
        transaction="ITI-62", name="Remove Metadata", event=PATIENT_RECORD, action="D", service="/xds/registry"
    ),
    "ITI-86": Golden(
        transaction="ITI-86", name="Remove Documents", event=PATIENT_RECORD, action="D", service="/xds/repository"
    ),
    "ITI-43": Golden(
        transaction="ITI-43",
        name="Retrieve Document Set",
        event=EXPORT,
        action="R",
        service="/xds/repository",
        ours="source",
    ),
    "ITI-67": Golden(transaction="ITI-67", name="Find Document References", event=QUERY, action="E", service="/fhir"),
    "ITI-66": Golden(transaction="ITI-66", name="Find Document Lists", event=QUERY, action="E", service="/fhir"),
    "ITI-78": Golden(
        transaction="ITI-78", name="Mobile Patient Demographics Query", event=QUERY, action="E", service="/fhir"
    ),
    "ITI-83": Golden(
        transaction="ITI-83",
        name="Mobile Patient Identifier Cross-reference Query",
        event=QUERY,
        action="E",
        service="/fhir",
    ),
    "ITI-68": Golden(
        transaction="ITI-68", name="Retrieve Document", event=EXPORT, action="R", service="/fhir", ours="source"
    ),
    "read": Golden(
        transaction="read",
        name="read",
        system="http://hl7.org/fhir/restful-interaction",
        event=EXPORT,
        action="R",
        service="/fhir",
        ours="source",
    ),
}


def a_set(unique_id: str | None) -> tuple[Any, ...]:
    return (*SET_ROLE, SUBMISSION_SET, unique_id, "", False, [])


def a_document(unique_id: str | None, life_cycle: str = "") -> tuple[Any, ...]:
    return (*DOCUMENT, "9", unique_id, life_cycle, False, [("Repository Unique ID", REPOSITORY)])


def an_object_ref(entry_uuid: str) -> tuple[Any, ...]:
    return (*DOCUMENT, "urn:ihe:iti:2017:ObjectRef", entry_uuid, "15", False, [])


def a_query(transaction: str, query_id: str) -> tuple[Any, ...]:
    return ("2", "24", transaction, query_id, "", True, [("QueryEncoding", "UTF-8")])


def good(transaction: str, *objects: tuple[Any, ...], **changes: Any) -> Golden:
    return replace(ROWS[transaction], objects=list(objects), **{"patient": PATIENT.key, **changes})


def bad(transaction: str, description: str, *objects: tuple[Any, ...], **changes: Any) -> Golden:
    return good(transaction, *objects, **{"outcome": 8, "description": description, **changes})


def pushed(server: Server, trail: Trail, patient: CX = PATIENT) -> DocumentEntry:
    """A document in the repository; the record of its submission is not looked at."""
    entry, owner = an_entry(content=b"x", patient_id=patient), a_submission_set(patient_id=patient)
    answer = messages.provide(server, a_submission(entry, submission_set=owner), {entry.entry_uuid: b"x"})
    assert answer.status == "Success", answer.contexts
    trail.messages()
    return entry


def stored(server: Server, trail: Trail) -> DocumentEntry:
    entry = pushed(server, trail)
    slots = {"$XDSDocumentEntryUniqueId": f"('{entry.unique_id}')"}
    (found,) = read_document_entries(messages.query(server, messages.GET_DOCUMENTS, slots).envelope)
    trail.messages()
    return found


def stored_uuid(server: Server, entry: DocumentEntry) -> str:
    slots = {"$XDSDocumentEntryUniqueId": f"('{entry.unique_id}')"}
    (found,) = read_document_entries(messages.query(server, messages.GET_DOCUMENTS, slots).envelope)
    return found.entry_uuid
