"""The web account of the holder: create it [TD1.5a], its channels [TD1.5b], new credentials [TD1.5d]. DMP 3."""

from collections.abc import Callable

from lxml import etree

from access_policy.caller import Caller
from dmp.account import Channel, new_account
from dmp.actor import actor_of
from dmp.record import Act, Record
from dmp.record_desk import RecordDesk, check_administers, check_may_change, patient_of_assertion
from dmp.refusal import RecordRefused, Refusal
from dmp.service_messages import OK, PATIENTS, Fields, read_fields, required, write_answer
from dmp.sql import accounts
from storage.unit_of_work import UnitOfWork

TRANSACTION = "TD1.5"
_CHANNELS = tuple(Channel)
_ADD, _CHANGE, _REMOVE = "AJOUT", "MODIFICATION", "SUPPRESSION"
_FIELDS: dict[str, dict[str, tuple[str, ...]]] = {
    "createPatientAccess": {"type": _CHANNELS, "canal": ()},
    "patientOTPUpdate": {"type": _CHANNELS, "canal": (), "action": (_ADD, _CHANGE, _REMOVE)},
    "updatePatientAccess": {},
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
    work = _WORK[name]

    def change(unit: UnitOfWork) -> Fields:
        check_administers(caller, service.facts(unit.connection, caller, patient))
        by, now = actor_of(caller), service.now()
        record = service.records.active(unit, patient, by, now)
        check_may_change(service, record)
        told = work(unit, record, fields, now)
        service.records.note(unit, record, Act.CHANGE_ACCESS, by, now, details={"request": name})
        return told

    return service.act(TRANSACTION, Act.CHANGE_ACCESS, patient, caller, change)


def _create(unit: UnitOfWork, record: Record, fields: dict[str, str], now: str) -> Fields:
    kind, address = required(fields, "type"), required(fields, "canal")
    if accounts.find(unit.connection, record.key) is not None:
        raise RecordRefused(Refusal.ACCESS_EXISTS, f"{record.patient}: found an account, expected none")
    accounts.put_channel(unit.connection, record.key, kind, address)
    return _renewed(unit, record, fields, now)


def _renew(unit: UnitOfWork, record: Record, fields: dict[str, str], now: str) -> Fields:
    if accounts.find(unit.connection, record.key) is None:
        raise RecordRefused(Refusal.NO_ACCESS, f"{record.patient}: found no account, expected one")
    return _renewed(unit, record, fields, now)


def _renewed(unit: UnitOfWork, record: Record, _fields: dict[str, str], now: str) -> Fields:
    account, password = new_account(now)
    accounts.put(unit.connection, record.key, account)
    return [("login", account.login), ("password", password)]


def _update_channel(unit: UnitOfWork, record: Record, fields: dict[str, str], _now: str) -> Fields:
    kind, action = required(fields, "type"), required(fields, "action")
    held = accounts.channels(unit.connection, record.key)
    if accounts.find(unit.connection, record.key) is None:
        raise RecordRefused(Refusal.NO_ACCESS, f"{record.patient}: found no account, expected one")
    if action == _ADD and kind in held:
        raise RecordRefused(Refusal.CHANNEL_EXISTS, f"{kind}: found a channel, expected none")
    if action != _ADD and kind not in held:
        raise RecordRefused(Refusal.NO_ACCESS, f"{kind}: found no channel, expected one")
    if action == _REMOVE:
        accounts.remove_channel(unit.connection, record.key, kind)
    else:
        accounts.put_channel(unit.connection, record.key, kind, required(fields, "canal"))
    return []


_Work = Callable[[UnitOfWork, Record, dict[str, str], str], Fields]
_WORK: dict[str, _Work] = {
    "createPatientAccess": _create,
    "patientOTPUpdate": _update_channel,
    "updatePatientAccess": _renew,
}
