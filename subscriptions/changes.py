"""Changes become notifications in the unit of work of the change: whoever wants to know will be told. ITI TF-1: 26."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from storage.keys import Keys
from storage.unit_of_work import UnitOfWork
from subscriptions import sql
from subscriptions.sql import Notification
from subscriptions.subscription import changes_of
from xds.datatypes import CX
from xds.metadata import RegistryObject


@dataclass(frozen=True, slots=True)
class Outbox:
    """`registry.watching.Notifier` that leaves a row for each subscription and change."""

    keys: Keys = field(default_factory=Keys)

    def changed(
        self,
        unit: UnitOfWork,
        patient: str,
        added: Sequence[RegistryObject],
        changed: Sequence[RegistryObject],
        now: str,
    ) -> None:
        """Objects of the patient with this CX key were added, others are now as `changed` says; `now` is a DTM."""
        found = list(changes_of(added, changed))
        wanting = sql.interested(unit.connection, patient, now) if found else []
        rows = [
            Notification(
                notification_key=self.keys.new(),
                subscription=one.id,
                event=event,
                entry_uuid=thing.entry_uuid,
                recorded=now,
            )
            for event, thing in found
            for one in wanting
            if one.wants(event, thing)
        ]
        sql.post(unit.connection, rows)

    def merged(self, unit: UnitOfWork, subsumed: CX, surviving: CX) -> None:
        """One patient was subsumed by another."""
        sql.rename_patient(unit.connection, subsumed.key, surviving.key)
