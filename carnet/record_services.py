"""The services on the records of persons: `/xds/patients` beside the identity feed, `/xds/habilitations`. DMP 3."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lxml import etree

from access_policy.caller import Caller
from carnet.clock import clock
from carnet.policy_wiring import tables_of
from carnet.record_wiring import open_records
from carnet.settings import Settings
from dmp import (
    td0_2_record_existence,
    td0_3_set_authorization,
    td0_4_list_records,
    td0_5_find_patient,
    td1_5_patient_access,
    td1_6_list_authorizations,
    td1_record_requests,
)
from dmp.record_desk import RecordDesk
from dmp.service_messages import HABILITATIONS, PATIENTS
from hl7v3.record_request import Interaction
from hl7v3.transmission import V3
from registry import patients
from registry.patients import Source
from registry.sql.contents import last_submitted
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.datatypes import CX

Soap = Callable[[RecordDesk, etree._Element, Caller], bytes]
_PATIENTS_END, _HABILITATIONS_END = f"{PATIENTS}:PatientSpecificEndPoint", f"{HABILITATIONS}:HabilitationsEndPoint"


# Door, end point, name of the message, transaction: messages of the DMP's own services.
_SIMPLE = (
    ("patients", _PATIENTS_END, "patientList", td0_4_list_records),
    ("patients", _PATIENTS_END, "createPatientAccess", td1_5_patient_access),
    ("patients", _PATIENTS_END, "patientOTPUpdate", td1_5_patient_access),
    ("patients", _PATIENTS_END, "updatePatientAccess", td1_5_patient_access),
    ("habilitations", _HABILITATIONS_END, "setAuthorization", td0_3_set_authorization),
    ("habilitations", _HABILITATIONS_END, "listAuthorizationByPatient", td1_6_list_authorizations),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOperation:
    """One message of a service. `transactions` are those it may be; `transaction_of` says which a body is."""

    door: str
    action: str
    body: str
    response_action: str
    soap: Soap
    transactions: tuple[str, ...]
    transaction_of: Callable[[etree._Element], str]


def record_service(settings: Settings, registry: Registry) -> RecordDesk:
    """The records of a server, beside its registry. Raises SettingsError."""
    return RecordDesk(
        units=registry.units,
        records=open_records(settings),
        tables=tables_of(settings),
        now=clock(settings.clock),
        make_known=lambda unit, patient, caller: _make_known(registry, unit, patient, caller),
        recorder=registry.recorder,
        last_submitted=lambda connection, caller: last_submitted(
            connection, registry.policy.visibility(connection, caller)
        ),
        creation_by_software=settings.records_by_software,
        attached_may_change=settings.attached_records_change,
    )


def _make_known(registry: Registry, unit: UnitOfWork, patient: CX, caller: Caller) -> None:
    patients.make_known(registry, unit, [patient], Source(transaction="carnet patient", caller=caller))


def record_operations() -> tuple[RecordOperation, ...]:
    """Every message, in the order of the transactions."""
    return tuple(_operations())


def _operations() -> Iterator[RecordOperation]:
    yield RecordOperation(
        door="patients",
        action=f"{V3}:PRPA_IN201307UV02",
        body=f"{{{V3}}}PRPA_IN201307UV02",
        response_action=f"{V3}:PRPA_IN201308UV02",
        soap=td0_2_record_existence.soap,
        transactions=tuple(td0_2_record_existence.TRANSACTIONS.values()),
        transaction_of=td0_2_record_existence.transaction_of,
    )
    yield RecordOperation(
        door="patients",
        action=f"{V3}:PRPA_IN201305UV02",
        body=f"{{{V3}}}PRPA_IN201305UV02",
        response_action=f"{V3}:PRPA_IN201306UV02",
        soap=td0_5_find_patient.soap,
        transactions=(td0_5_find_patient.TRANSACTION,),
        transaction_of=lambda _body: td0_5_find_patient.TRANSACTION,
    )
    for interaction in Interaction:
        yield RecordOperation(
            door="patients",
            action=f"{V3}:{interaction}",
            body=f"{{{V3}}}{interaction}",
            response_action=f"{V3}:{interaction}_Response",
            soap=td1_record_requests.soap,
            transactions=("TD1.1", "TD1.2", "TD1.3b", "TD1.4"),
            transaction_of=td1_record_requests.transaction_of,
        )
    for door, end, name, transaction in _SIMPLE:
        yield _simple(door, end, name, transaction.TRANSACTION, transaction.soap)


def _simple(door: str, end: str, name: str, transaction: str, soap: Soap) -> RecordOperation:
    """A message of the DMP's own services, whose action is its end point and its name."""
    namespace = end.rpartition(":")[0]
    return RecordOperation(
        door=door,
        action=f"{end}:{name}",
        body=f"{{{namespace}}}{name}",
        response_action=f"{end}:{name}Response",
        soap=soap,
        transactions=(transaction,),
        transaction_of=lambda _body: transaction,
    )
