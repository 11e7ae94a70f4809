"""The registry's store: finding, patient identities, and writing objects with their renderings.

Every read takes a `Visibility`, every write a `UnitOfWork`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from access_policy.caller import Caller
from access_policy.policy import OPEN_POLICY, Policy
from access_policy.visibility import Purpose, Visibility
from audit.recorder import NO_RECORDER, Recorder
from registry.criteria import ALL, Criteria, Form, Found, Page
from registry.shown_links import approved, associations_among, shown_links
from registry.snapshot import Snapshot
from registry.sql import facts, held, identities, merges, objects
from registry.sql.identities import KnownPatient
from registry.sql.tables import KIND_OF
from registry.sql.texts import texts_of
from registry.watching import NO_NOTIFIER, NO_WATCHER, Notifier, Watcher
from storage.deflated import inflated
from storage.keys import Keys
from storage.unit_of_work import UnitOfWork, Units
from xds.affinity_domain import AffinityDomain
from xds.datatypes import CX
from xds.ebrim.write import write_object
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet
from xds.metadata_json import from_json
from xds.metadata_update_facts import Held
from xds.submission_rules import StoredFacts

_REMOVED_AT_ONCE = 200
RenderFhir = Callable[[DocumentEntry | SubmissionSet | Folder, Sequence[Association], str], bytes]


@dataclass(frozen=True, slots=True)
class _NewOwner:
    """The patient that objects move to, and the object keys that change on the way."""

    subsumed: CX
    patient: KnownPatient
    renumbered: Mapping[int, int]

    def given(self, thing: Any) -> Any:
        """The object with the surviving identifier, in the form the subsumed one had."""
        found = thing.patient_id
        if found is None or found.key != self.subsumed.key:
            return thing
        shown = self.patient.patient_id
        return replace(thing, patient_id=CX.of(id=shown.id, authority=shown.authority, type_code=found.type_code))


class Registry:
    """The Document Registry of one affinity domain. ITI TF-1: 10.1.1.3"""

    def __init__(
        self,
        units: Units,
        *,
        domain: AffinityDomain,
        render_fhir: RenderFhir,
        now: Callable[[], str],
        recorder: Recorder = NO_RECORDER,
        watcher: Watcher = NO_WATCHER,
        policy: Policy = OPEN_POLICY,
        notifier: Notifier = NO_NOTIFIER,
    ) -> None:
        """`now` gives the time as DTM of 14 digits, UTC; `render_fhir` takes it as the time of the change.

        `recorder` keeps the audit records of what changes here, `watcher` follows it, `notifier` leaves what is to be
        told; `policy` says who sees and does what.
        """
        self.units, self.domain, self.now, self.recorder, self.watcher = units, domain, now, recorder, watcher
        self.policy, self.notifier = policy, notifier
        self._render_fhir, self._keys = render_fhir, Keys()

    @contextmanager
    def snapshot(self, visibility: Visibility) -> Iterator[Snapshot]:
        """Several questions answered from one committed state."""
        with self.units.read() as connection:
            yield Snapshot(connection, visibility)

    @contextmanager
    def seen_by(self, caller: Caller, purpose: Purpose = Purpose.SEARCH) -> Iterator[Snapshot]:
        """The same as far as the policy lets the caller see; what it asks of the record is of that state too."""
        with self.units.read() as connection:
            yield Snapshot(connection, self.policy.visibility(connection, caller, purpose))

    def seen_in(self, unit: UnitOfWork, caller: Caller, purpose: Purpose) -> Snapshot:
        """What the caller may see of the state within a unit of work, its own changes included."""
        return Snapshot(unit.connection, self.policy.visibility(unit.connection, caller, purpose))

    def find(
        self,
        criteria: Criteria,
        visibility: Visibility,
        page: Page = ALL,
        form: Form = Form.EBRIM,
    ) -> tuple[Found, ...]:
        with self.snapshot(visibility) as snapshot:
            return snapshot.find(criteria, page, form)

    def add_patient(self, unit: UnitOfWork, patient_id: CX) -> bool:
        """Make a patient identifier known; False when it was. ITI TF-2: 3.8.4.1.3

        Raises Rejected when it was merged into another: a merge is not undone.
        """
        known = identities.known_patient(unit.connection, patient_id.key)
        if known is not None and known.merged_into is not None:
            context = f"patient {patient_id.key}: found one merged into another for good, expected the surviving one"
            raise Rejected([RegistryError(code=ErrorCode.UNKNOWN_PATIENT_ID, context=context, location="patient")])
        if known is not None:
            return False
        key = self._keys.new()
        return identities.add_patient(unit.connection, patient_id.key, key) == key

    def lock(self, unit: UnitOfWork, patient_id: CX | None, unique_ids: Collection[str]) -> int | None:
        """Key of the patient, None when unknown; other submissions for it wait until this unit ends.

        A merge may have subsumed the patient while this unit waited, so it is asked for again.
        """
        key = None if patient_id is None else identities.patient_key(unit.connection, patient_id.key)
        identities.lock(unit.connection, [] if key is None else [key], unique_ids)
        return None if key is None or patient_id is None else identities.patient_key(unit.connection, patient_id.key)

    def lock_all(
        self,
        unit: UnitOfWork,
        patients: Collection[CX],
        *,
        references: Collection[str],
        unique_ids: Collection[str] = (),
    ) -> dict[str, int]:
        """Like `lock` for these patients and for those that own the referenced objects; known patients -> keys.

        Repeats until no further patient owns a reference: a version may have moved while this waited.
        """
        known = self._known(unit, patients)
        locked: set[int] = set()
        wanted = {*known.values(), *identities.patient_keys_of(unit.connection, sorted(references))}
        while True:
            identities.lock(unit.connection, wanted, unique_ids)
            locked |= wanted
            wanted = set(identities.patient_keys_of(unit.connection, sorted(references))) - locked
            if not wanted:
                return self._known(unit, patients)

    def _known(self, unit: UnitOfWork, patients: Collection[CX]) -> dict[str, int]:
        keys = {patient.key: identities.patient_key(unit.connection, patient.key) for patient in patients}
        return {patient: key for patient, key in keys.items() if key is not None}

    def stored_facts(
        self, unit: UnitOfWork, *, patient_is_known: bool, entry_uuids: Collection[str], unique_ids: Collection[str]
    ) -> StoredFacts:
        return facts.stored_facts(
            unit.connection, patient_is_known=patient_is_known, entry_uuids=entry_uuids, unique_ids=unique_ids
        )

    def add(self, unit: UnitOfWork, patient_key: int, things: Sequence[RegistryObject]) -> None:
        """Store the objects of one submission; each is rendered here, once."""
        links: dict[str, list[Association]] = {}
        for thing in things:
            if isinstance(thing, Association):
                links.setdefault(thing.source, []).append(thing)
        associations = {thing.entry_uuid for thing in things if isinstance(thing, Association)}
        keys = [self._keys.new() for _ in things]
        submission_key = next(key for key, thing in zip(keys, things, strict=True) if isinstance(thing, SubmissionSet))
        rows = []
        for key, thing in zip(keys, things, strict=True):
            row = objects.row_of(thing, patient_key=patient_key, object_key=key, submission_key=submission_key)
            shown = shown_links(thing, links.get(thing.entry_uuid, ()), associations)
            row |= self._renderings(thing, shown)
            rows.append(row | {"visible_from": self._visible_from(unit, patient_key, thing)})
        objects.add(unit.connection, things, rows)
        for thing, row in zip(things, rows, strict=True):
            self._share_restrictions(unit, thing, row)

    def _share_restrictions(self, unit: UnitOfWork, thing: RegistryObject, row: Mapping[str, Any]) -> None:
        """Earlier versions of a document are seen as its newest is."""
        if isinstance(thing, DocumentEntry) and (thing.version or 1) > 1:
            shared = {name: row[name] for name in ("traits", "visible_from") if name in row}
            objects.spread(unit.connection, thing.logical_id or thing.entry_uuid, shared)

    def _visible_from(self, unit: UnitOfWork, patient_key: int, thing: RegistryObject) -> str | None:
        """A later version of a hidden document opens when the first one would have."""
        opens = self.watcher.opens_at(thing, self.now()) if isinstance(thing, DocumentEntry) else None
        if opens is None or (thing.version or 1) == 1:
            return opens
        before = objects.visible_from(unit.connection, patient_key, thing.logical_id or thing.entry_uuid)
        return before or opens

    def held(self, unit: UnitOfWork, entry_uuids: Collection[str]) -> dict[str, Held]:
        """The stored objects among these entryUUIDs, whole."""
        return held.by_entry_uuid(unit.connection, entry_uuids)

    def at(self, unit: UnitOfWork, keys: Collection[tuple[int, int]]) -> list[Held]:
        """The stored objects at these keys: (patient, object)."""
        return list(held.by_key(unit.connection, keys)) if keys else []

    def newest(self, unit: UnitOfWork, logical_ids: Collection[str]) -> dict[str, Held]:
        """The newest version of each of these logical objects."""
        return held.newest(unit.connection, logical_ids)

    def links(self, unit: UnitOfWork, entry_uuids: Collection[str]) -> list[Held]:
        """The associations with an end among these entryUUIDs."""
        return held.touching(unit.connection, entry_uuids)

    def rewrite(self, unit: UnitOfWork, stored: Held, thing: RegistryObject, *, is_current: bool | None = None) -> None:
        """Replace a stored object in place and render it again."""
        current = stored.is_current if is_current is None else is_current
        links = self._links_from(unit, stored.key[0], thing)
        changed = objects.columns_of(thing, is_current=current) | self._renderings(thing, links)
        objects.rewrite(unit.connection, stored.key, changed)
        if current:
            self._share_restrictions(unit, thing, changed)

    def render_again(self, unit: UnitOfWork, entry_uuids: Collection[str]) -> None:
        """Render objects whose associations changed."""
        for stored in self.held(unit, entry_uuids).values():
            if not isinstance(stored.thing, Association):
                self.rewrite(unit, stored, stored.thing)

    def remove(self, unit: UnitOfWork, stored: Sequence[Held]) -> None:
        """Delete objects; where the newest version goes, the one before it becomes the newest."""
        for start in range(0, len(stored), _REMOVED_AT_ONCE):
            group = stored[start : start + _REMOVED_AT_ONCE]
            objects.remove(unit.connection, [(one.thing, one.key) for one in group])
        logical_ids = {
            one.thing.logical_id or one.thing.entry_uuid
            for one in stored
            if one.is_current and (one.thing.version or 1) > 1
        }
        left: dict[str, Held] = {}
        for version in held.versions(unit.connection, logical_ids) if logical_ids else ():
            logical_id = version.thing.logical_id or version.thing.entry_uuid
            if logical_id not in left or (version.thing.version or 1) > (left[logical_id].thing.version or 1):
                left[logical_id] = version
        for version in left.values():
            self.rewrite(unit, version, version.thing, is_current=True)

    def present_patient(self, connection: Connection, patient_id: str) -> str:
        """CX key of the patient that this one is today, after any merges; itself where there was none."""
        return identities.present_id(connection, patient_id)

    def patients_of(self, connection: Connection, unique_ids: Collection[str]) -> dict[str, str]:
        """uniqueId -> identifier of the patient, in CX form, for the documents that are registered here."""
        return identities.patients_of(connection, unique_ids)

    def patient_of(self, unit: UnitOfWork, patient_key: int) -> str:
        """The identifier in CX form, empty for a key of no patient."""
        return identities.patient_of_key(unit.connection, patient_key)

    def _links_from(self, unit: UnitOfWork, patient_key: int, thing: RegistryObject) -> list[Association]:
        """The Approved associations that the FHIR rendering of an object shows."""
        if isinstance(thing, Association):
            return []
        links = approved(objects.associations_from(unit.connection, patient_key, thing.entry_uuid))
        among = associations_among(unit.connection, links) if isinstance(thing, SubmissionSet) else ()
        return shown_links(thing, links, among)

    def move_objects(self, unit: UnitOfWork, *, subsumed: KnownPatient, surviving: KnownPatient) -> int:
        """Give the surviving patient every object of the subsumed one, rendered again; returns how many.

        Call it under the lock of both. sourcePatientId and sourcePatientInfo stay. ITI TF-2: 3.8.4.2.3
        """
        connection, moved = unit.connection, 0
        colliding = merges.colliding_keys(connection, subsumed.key, surviving.key)
        renumbered = {key: self._keys.new() for key in colliding}
        for rows in merges.batches(connection, subsumed.key):
            shown = [row["entry_uuid"] for row in rows if KIND_OF[row["kind"]] is not Association]
            links = merges.links_from(connection, (subsumed.key, surviving.key), shown)
            members = (link for found in links.values() for link in approved(found))
            associations = associations_among(connection, members)
            owner = _NewOwner(subsumed.patient_id, surviving, renumbered)
            moving = [self._moved(row, owner, links.get(row["entry_uuid"], ()), associations) for row in rows]
            merges.move(connection, rows, moving)
            moved += len(rows)
        return moved

    def _moved(
        self, row: dict[str, Any], owner: "_NewOwner", links: Sequence[bytes], associations: Collection[str]
    ) -> dict[str, Any]:
        keys = {name: owner.renumbered.get(row[name], row[name]) for name in ("object_key", "submission_key")}
        moved = row | keys | {"patient_key": owner.patient.key}
        kind = KIND_OF[row["kind"]]
        if kind is Association:
            return moved
        thing = owner.given(from_json(kind, inflated(row["whole"] or row["attributes"].encode())))
        return moved | self._renderings(thing, shown_links(thing, approved(links), associations))

    def sources_of(
        self, unit: UnitOfWork, patient_key: int, targets: Collection[str], association_types: Collection[str]
    ) -> set[str]:
        """Documents linked to the targets by associations of these types."""
        return objects.sources_of(unit.connection, patient_key, targets, association_types)

    def _renderings(self, thing: RegistryObject, links: Sequence[Association]) -> dict[str, Any]:
        now = self.now()
        fhir = None if isinstance(thing, Association) else self._render_fhir(thing, links, now)
        return texts_of(thing, ebrim=write_object(thing), fhir=fhir, updated=now)
