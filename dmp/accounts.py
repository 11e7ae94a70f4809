"""Acts on the holder's web account: create it, its channels, new credentials. DMP 1 (S16, S58), 3 (TD1.5).

Each function is one act, as in `dmp.life`, but for what it returns.
"""

from dataclasses import dataclass

from dmp.account import Channel, expected_address, is_address, new_account
from dmp.actor import Actor
from dmp.record import Act, Record
from dmp.records import Records
from dmp.refusal import RecordRefused, Refusal
from dmp.sql import accounts
from storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Login and password of an account, told once."""

    login: str
    password: str


def create_account(
    dmp: Records, unit: UnitOfWork, patient: str, channel: Channel, address: str, *, by: Actor, now: str
) -> Credentials:
    """An account with its first channel. Raises RecordRefused. DMP 3 (TD1.5a)"""
    record = dmp.active(unit, patient, by, now)
    if accounts.find(unit.connection, record.key) is not None:
        raise RecordRefused(Refusal.ACCESS_EXISTS, f"{record.patient}: found an account, expected none")
    _put_channel(unit, record, channel, address)
    return _renewed(dmp, unit, record, "create", by, now)


def renew_account(dmp: Records, unit: UnitOfWork, patient: str, *, by: Actor, now: str) -> Credentials:
    """Another login and password; the former open nothing any more. Raises RecordRefused. DMP 3 (TD1.5d)"""
    record = _with_account(dmp, unit, patient, by, now)
    return _renewed(dmp, unit, record, "renew", by, now)


def add_channel(
    dmp: Records, unit: UnitOfWork, patient: str, channel: Channel, address: str, *, by: Actor, now: str
) -> None:
    """Where one-time passwords go too. Raises RecordRefused. DMP 3 (TD1.5b)"""
    record = _with_account(dmp, unit, patient, by, now)
    if channel in accounts.channels(unit.connection, record.key):
        raise RecordRefused(Refusal.CHANNEL_EXISTS, f"{channel}: found a channel, expected none")
    _put_channel(unit, record, channel, address)
    _note(dmp, unit, record, f"add {channel}", by, now)


def change_channel(
    dmp: Records, unit: UnitOfWork, patient: str, channel: Channel, address: str, *, by: Actor, now: str
) -> None:
    """Another address of a channel. Raises RecordRefused. DMP 3 (TD1.5b)"""
    record = _with_channel(dmp, unit, patient, channel, by, now)
    _put_channel(unit, record, channel, address)
    _note(dmp, unit, record, f"change {channel}", by, now)


def remove_channel(dmp: Records, unit: UnitOfWork, patient: str, channel: Channel, *, by: Actor, now: str) -> None:
    """Nothing is sent there any more. Raises RecordRefused. DMP 3 (TD1.5b)"""
    record = _with_channel(dmp, unit, patient, channel, by, now)
    accounts.remove_channel(unit.connection, record.key, channel)
    _note(dmp, unit, record, f"remove {channel}", by, now)


def _with_account(dmp: Records, unit: UnitOfWork, patient: str, by: Actor, now: str) -> Record:
    record = dmp.active(unit, patient, by, now)
    if accounts.find(unit.connection, record.key) is None:
        raise RecordRefused(Refusal.NO_ACCESS, f"{record.patient}: found no account, expected one")
    return record


def _with_channel(dmp: Records, unit: UnitOfWork, patient: str, channel: Channel, by: Actor, now: str) -> Record:
    record = _with_account(dmp, unit, patient, by, now)
    if channel not in accounts.channels(unit.connection, record.key):
        raise RecordRefused(Refusal.NO_ACCESS, f"{channel}: found no channel, expected one")
    return record


def _put_channel(unit: UnitOfWork, record: Record, channel: Channel, address: str) -> None:
    """Raises RecordRefused for what is no address, which it does not repeat."""
    if not is_address(channel, address):
        context = f"found {len(address)} characters, expected {expected_address(channel)}"
        raise RecordRefused(Refusal.WRONG_FIELD, f"canal of {channel}: {context}")
    accounts.put_channel(unit.connection, record.key, channel, address)


def _renewed(dmp: Records, unit: UnitOfWork, record: Record, what: str, by: Actor, now: str) -> Credentials:
    account, password = new_account(now)
    accounts.put(unit.connection, record.key, account)
    _note(dmp, unit, record, what, by, now)
    return Credentials(login=account.login, password=password)


def _note(dmp: Records, unit: UnitOfWork, record: Record, what: str, by: Actor, now: str) -> None:
    dmp.note(unit, record, Act.CHANGE_ACCESS, by, now, details={"request": what})
