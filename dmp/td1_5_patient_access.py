"""The web account of the holder: create it [TD1.5a], its channels [TD1.5b], new credentials [TD1.5d]. DMP 3."""

from dataclasses import asdict
from typing import Any

from lxml import etree

from access_policy.caller import Caller
from dmp import accounts
from dmp.account import Channel
from dmp.accounts import Credentials
from dmp.actor import actor_of
from dmp.record import Act
from dmp.record_desk import RecordDesk, check_administers, check_may_change, patient_of_assertion, record_of
from dmp.refusal import RecordRefused
from dmp.service_messages import OK, PATIENTS, Fields, read_fields, required, write_answer
from storage.unit_of_work import UnitOfWork

TRANSACTION = "TD1.5"
_CHANNELS = tuple(Channel)
_ADD, _CHANGE, _REMOVE = "AJOUT", "MODIFICATION", "SUPPRESSION"
_FIELDS: dict[str, dict[str, tuple[str, ...]]] = {
    "createPatientAccess": {"type": _CHANNELS, "canal": ()},
    "patientOTPUpdate": {"type": _CHANNELS, "canal": (), "action": (_ADD, _CHANGE, _REMOVE)},
    "updatePatientAccess": {},
}
# Request and action -> the act, and the fields that it needs.
_ACTS: dict[tuple[str, str], tuple[Any, tuple[str, ...]]] = {
    ("createPatientAccess", ""): (accounts.create_account, ("type", "canal")),
    ("updatePatientAccess", ""): (accounts.renew_account, ()),
    ("patientOTPUpdate", _ADD): (accounts.add_channel, ("type", "canal")),
    ("patientOTPUpdate", _CHANGE): (accounts.change_channel, ("type", "canal")),
    ("patientOTPUpdate", _REMOVE): (accounts.remove_channel, ("type",)),
}


def soap(service: RecordDesk, body: etree._Element, caller: Caller) -> bytes:
    """One of three requests -> its response; login and password are told once."""
    name = etree.QName(body).localname
    try:
        told = handle(service, name, read_fields(body, _FIELDS[name]), caller)
    except RecordRefused as refused:
        return write_answer(body, PATIENTS, refused.code, refused.context)
    return write_answer(body, PATIENTS, OK, name, told)


def handle(service: RecordDesk, name: str, fields: dict[str, str], caller: Caller) -> Fields:
    """Carry out one of the three. Raises RecordRefused, nothing changed."""
    patient = patient_of_assertion(caller)

    def change(unit: UnitOfWork) -> Fields:
        check_administers(caller, service.facts(unit.connection, caller, patient))
        check_may_change(service, record_of(unit.connection, patient))
        action = required(fields, "action") if "action" in _FIELDS[name] else ""
        function, needed = _ACTS[name, action]
        given = [Channel(required(fields, one)) if one == "type" else required(fields, one) for one in needed]
        told = function(service.records, unit, patient, *given, by=actor_of(caller), now=service.now())
        return list(asdict(told).items()) if isinstance(told, Credentials) else []

    return service.act(TRANSACTION, Act.CHANGE_ACCESS, patient, caller, change)
