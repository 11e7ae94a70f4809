"""Where objects lie: patient identifiers and ids resolved to keys, each once for one state of the registry.

Rows are found by their patient key, so what is known by entryUUID, uniqueId or logicalID alone goes
through `identity` first. A query that goes on from what it found does not ask for it again.
"""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection

from registry.criteria import Found
from registry.sql import identities
from storage.engine import is_divided


class Places:
    """The keys resolved so far in one snapshot.

    `are_divided`: rows of different patients lie on different machines, so that it must be known whom to ask.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.are_divided = is_divided(connection)
        self._patients: dict[str, int | None] = {}
        self._rows: dict[str, list[tuple[int, int]]] = {}

    def patients(self, patient_ids: Collection[str]) -> list[int]:
        """Keys of the patients known by these CX keys."""
        unknown = [one for one in patient_ids if one not in self._patients]
        if unknown:
            found = identities.patient_keys(self._connection, unknown)
            self._patients.update((one, found.get(one)) for one in unknown)
        return sorted({key for one in patient_ids if (key := self._patients[one]) is not None})

    def patient(self, patient_id: str) -> int:
        """The same of one; of nobody where it is unknown, so that it is looked for as long as one that has nothing."""
        found = self.patients((patient_id,))
        return found[0] if found else identities.NOWHERE[0]

    def objects(self, values: Collection[str]) -> list[tuple[int, int]]:
        """(patient key, object key) by entryUUID; by uniqueId one object of each patient that has any."""
        return sorted(row for row in self._identities(values) if row[1] != identities.NO_OBJECT)

    def only(self, value: str, *, or_nowhere: bool = False) -> tuple[int, int] | None:
        """The place of the one object with this id; None when there is none, or the id concerns anything else.

        `or_nowhere`: an unknown id has a place where nothing is, so that it is looked for as long as one that may not
        be seen.
        """
        rows = self._identities((value,))
        if or_nowhere and not rows:
            return identities.NOWHERE
        place = rows.pop() if len(rows) == 1 else None
        return None if place is None or place[1] == identities.NO_OBJECT else place

    def shards(self, values: Collection[str]) -> list[int]:
        """Keys of the patients that own these ids."""
        return sorted({patient for patient, _ in self._identities(values)})

    def _identities(self, values: Collection[str]) -> set[tuple[int, int]]:
        unknown = [value for value in values if value not in self._rows]
        if unknown:
            found = identities.rows_of(self._connection, unknown)
            self._rows.update((value, found.get(value, [])) for value in unknown)
        return {row for value in values for row in self._rows[value]}

    def learn(self, found: Iterable[Found]) -> None:
        """Remember objects that were found, for the steps that go on from them."""
        for one in found:
            self._rows.setdefault(one.entry_uuid, [(one.patient_key, one.object_key)])
