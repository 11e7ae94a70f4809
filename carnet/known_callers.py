"""Callers compared with the directory, as the settings want it: refused, told to the log, or not looked at. DMP 6.5"""

from collections.abc import Callable

import structlog

from access_policy.caller import Caller, Standing
from access_policy.refusals import Reason, Refused
from carnet.settings import Settings
from dmp import directory
from storage.unit_of_work import StorageFailed, UnitOfWork, Units

# Lets a proved caller pass. Raises Refused.
Check = Callable[[Caller], None]


def directory_check(settings: Settings, units: Units) -> Check:
    """What the settings make of a structure, professional or software that the directory does not know.

    A directory that cannot be read lets nobody pass where it decides.
    """
    if settings.directory == "ignore":
        return lambda _caller: None
    return _refusing(units) if settings.directory == "refuse" else _warning(units)


def _refusing(units: Units) -> Check:
    def check(caller: Caller) -> None:
        found = _findings(units, caller)
        if found:
            raise Refused(Reason.DIRECTORY, "; ".join(found))

    return check


def _warning(units: Units) -> Check:
    def check(caller: Caller) -> None:
        try:
            found = _findings(units, caller)
        except StorageFailed:
            return
        if found:
            kinds = [one.partition(":")[0] for one in found]
            structlog.get_logger().warning("caller not in the directory", unknown=kinds)

    return check


def _findings(units: Units, caller: Caller) -> list[str]:
    """A patient is in no directory of professionals."""
    if caller.standing is not Standing.PROFESSIONAL:
        return []
    with units.read() as connection:
        return list(directory.findings(UnitOfWork(connection=connection), caller))
