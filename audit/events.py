"""THE table: transaction or other event -> what its audit record says. ITI TF-2: 3.20.7 and each transaction's n.5.

`ours` is the role of this server: the source of what it gives away, the destination of what it is asked or given.
What the objects of a record are is in `audit.objects`; which of them a record has is for the transaction to say.
"""

from dataclasses import dataclass
from enum import StrEnum

from audit.record import Action, Coded

DCM = "DCM"
IHE = "IHE Transactions"
CARNET = "urn:carnet:audit"

SOURCE = Coded("110153", DCM, "Source Role ID")
DESTINATION = Coded("110152", DCM, "Destination Role ID")
APPLICATION = Coded("110150", DCM, "Application")
APPLICATION_LAUNCHER = Coded("110151", DCM, "Application Launcher")
NODE = Coded("110182", DCM, "Node ID")
NOT_VERIFIED = Coded("not-verified", CARNET, "identity asserted and not verified")

ACTIVITY = Coded("110100", DCM, "Application Activity")
LOG_USED = Coded("110101", DCM, "Audit Log Used")
EXPORT = Coded("110106", DCM, "Export")
IMPORT = Coded("110107", DCM, "Import")
PATIENT_RECORD = Coded("110110", DCM, "Patient Record")
QUERY = Coded("110112", DCM, "Query")
SECURITY_ALERT = Coded("110113", DCM, "Security Alert")
AUTHENTICATION = Coded("110114", DCM, "User Authentication")
REST = "http://hl7.org/fhir/restful-interaction"


class Door(StrEnum):
    """Where the transaction is served, below the public URL of the server."""

    REGISTRY = "/xds/registry"
    REPOSITORY = "/xds/repository"
    PATIENTS = "/xds/patients"
    HABILITATIONS = "/xds/habilitations"
    SUBSCRIPTIONS = "/xds/subscriptions"
    FHIR = "/fhir"
    FEED = "mllp"
    NODE = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One row. `rest` is the FHIR interaction it is, where it is one: then FHIR says `rest` for its type."""

    name: str
    event_id: Coded
    action: Action
    type_code: Coded
    ours: Coded = DESTINATION
    door: Door = Door.NODE
    rest: str = ""

    @property
    def is_transaction(self) -> bool:
        return self.door is not Door.NODE


def _transaction(
    number: str,
    title: str,
    event_id: Coded,
    action: Action,
    *,
    ours: Coded = DESTINATION,
    door: Door = Door.REGISTRY,
    rest: str = "",
) -> Event:
    name = f"ITI-{number}"
    return Event(
        name=name,
        event_id=event_id,
        action=action,
        type_code=Coded(name, IHE, title),
        ours=ours,
        door=door,
        rest=rest,
    )


def _of_records(name: str, title: str, event_id: Coded, action: Action, door: Door = Door.PATIENTS) -> Event:
    """A transaction of the DMP on the record of a person; its type is of our own code system. DMP 3"""
    return Event(name=name, event_id=event_id, action=action, type_code=Coded(name, CARNET, title), door=door)


def _of_node(name: str, event_id: Coded, action: Action, code: str, text: str, *, system: str = DCM) -> Event:
    return Event(name=name, event_id=event_id, action=action, type_code=Coded(code, system, text))


_C, _R, _U, _D, _E = Action.CREATE, Action.READ, Action.UPDATE, Action.DELETE, Action.EXECUTE
_REPOSITORY, _FHIR = Door.REPOSITORY, Door.FHIR

TRANSACTIONS: tuple[Event, ...] = (
    # The action of the identity feeds is that of the message; see the tables of their transactions.
    _transaction("8", "Patient Identity Feed", PATIENT_RECORD, _C, door=Door.FEED),
    _transaction("44", "Patient Identity Feed HL7 V3", PATIENT_RECORD, _C, door=Door.PATIENTS),
    _transaction("18", "Registry Stored Query", QUERY, _E),
    _transaction("51", "Multi-Patient Stored Query", QUERY, _E),
    _transaction("41", "Provide and Register Document Set-b", IMPORT, _C, door=_REPOSITORY),
    _transaction("42", "Register Document Set-b", IMPORT, _C),
    _transaction("61", "Register On-Demand Document Entry", IMPORT, _C),
    _transaction("43", "Retrieve Document Set", EXPORT, _R, ours=SOURCE, door=_REPOSITORY),
    _transaction("57", "Update Document Set", IMPORT, _U),
    _transaction("92", "Restricted Update Document Set", IMPORT, _U),
    _transaction("62", "Remove Metadata", PATIENT_RECORD, _D),
    _transaction("86", "Remove Documents", PATIENT_RECORD, _D, door=_REPOSITORY),
    _transaction("52", "Document Metadata Subscribe", QUERY, _C, door=Door.SUBSCRIPTIONS),
    _transaction("53", "Document Metadata Notify", EXPORT, _R, ours=SOURCE, door=Door.SUBSCRIPTIONS),
    _transaction("65", "Provide Document Bundle", IMPORT, _C, door=_FHIR),
    _transaction("66", "Find Document Lists", QUERY, _E, door=_FHIR, rest="search-type"),
    _transaction("67", "Find Document References", QUERY, _E, door=_FHIR, rest="search-type"),
    _transaction("68", "Retrieve Document", EXPORT, _R, ours=SOURCE, door=_FHIR, rest="read"),
    _transaction("78", "Mobile Patient Demographics Query", QUERY, _E, door=_FHIR, rest="search-type"),
    _transaction("81", "Retrieve ATNA Audit Event", LOG_USED, _R, ours=SOURCE, door=_FHIR),
    _transaction("83", "Mobile Patient Identifier Cross-reference Query", QUERY, _E, door=_FHIR),
    _transaction("104", "Patient Identity Feed FHIR", PATIENT_RECORD, _C, door=_FHIR, rest="update"),
    _transaction("105", "Simplified Publish", IMPORT, _C, door=_FHIR, rest="create"),
    _transaction("106", "Generate Metadata", IMPORT, _C, door=_FHIR, rest="create"),
    _transaction("111", "Resource Subscription", QUERY, _C, door=_FHIR, rest="create"),
    _transaction("112", "Resource Notify", EXPORT, _R, ours=SOURCE, door=_FHIR),
    Event(
        name="read",
        event_id=EXPORT,
        action=_R,
        type_code=Coded("read", REST, "read"),
        ours=SOURCE,
        door=_FHIR,
        rest="read",
    ),
)
# What a record lets whom do is PATIENT_RECORD like the record itself.
RECORD_TRANSACTIONS: tuple[Event, ...] = (
    _of_records("TD0.2", "record existence and authorisation", QUERY, _E),
    _of_records("TD0.3", "authorisation declared or removed", PATIENT_RECORD, _U, Door.HABILITATIONS),
    _of_records("TD0.4", "list of authorised records", QUERY, _E),
    _of_records("TD0.5", "patient search by traits", QUERY, _E),
    _of_records("TD1.1", "record created", PATIENT_RECORD, _C),
    _of_records("TD1.2", "record reactivated", PATIENT_RECORD, _U),
    _of_records("TD1.3a", "administrative data read", PATIENT_RECORD, _R),
    _of_records("TD1.3b", "administrative data changed", PATIENT_RECORD, _U),
    _of_records("TD1.4", "record closed", PATIENT_RECORD, _U),
    _of_records("TD1.5", "web account of the holder", PATIENT_RECORD, _U),
    _of_records("TD1.6", "list of authorised professionals", QUERY, _E, Door.HABILITATIONS),
)
NODE_EVENTS: tuple[Event, ...] = (
    _of_node("ITI-32", EXPORT, _R, "ITI-32", "Distribute Document Set on Media", system=IHE),
    _of_node("start", ACTIVITY, _E, "110120", "Application Start"),
    _of_node("stop", ACTIVITY, _E, "110121", "Application Stop"),
    _of_node("recording started", SECURITY_ALERT, _E, "110134", "Audit Recording Started"),
    _of_node("recording stopped", SECURITY_ALERT, _E, "110133", "Audit Recording Stopped"),
    _of_node("assertion refused", AUTHENTICATION, _E, "110122", "Login"),
    _of_node("node refused", SECURITY_ALERT, _E, "110126", "Node Authentication"),
    # Its end is that of the assertion: every record in between has the purpose of use.
    _of_node("break-glass", SECURITY_ALERT, _E, "110127", "Emergency Override Started"),
    _of_node("configuration", SECURITY_ALERT, _E, "110131", "Software Configuration"),
    _of_node("damage", SECURITY_ALERT, _E, "damage", "stored document damaged or missing", system=CARNET),
    _of_node("log used", LOG_USED, _R, "export", "audit log exported", system=CARNET),
    _of_node("carnet patient", PATIENT_RECORD, _C, "patient", "patient identifier made known", system=CARNET),
)
EVENTS = {one.name: one for one in (*TRANSACTIONS, *RECORD_TRANSACTIONS, *NODE_EVENTS)}
