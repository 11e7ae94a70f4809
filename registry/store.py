"""The registry's store: finding, patient identities, and writing objects with their renderings.

Every read takes a `Visibility`, every write a `UnitOfWork`.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from access_policy.caller import Caller
from access_policy.visibility import Visibility
from registry.criteria import ALL, Criteria, Form, Found, Page
from registry.sql import facts, find, identities, objects
from registry.sql.tables import STATUSES
from storage.keys import Keys
from storage.outbox import Topic, post
from storage.unit_of_work import UnitOfWork, Units
from xds.affinity_domain import AffinityDomain
from xds.datatypes import CX
from xds.ebrim.write import write_object
from xds.metadata import Association, DocumentEntry, RegistryObject, SubmissionSet
from xds.metadata_json import from_json, to_json
from xds.submission_rules import StoredFacts
from xds.vocabulary import AvailabilityStatus

RenderFhir = Callable[[DocumentEntry, Sequence[Association], str], bytes]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The registry at one instant, as far as it may be seen."""

    connection: Connection
    visibility: Visibility

    def find(self, criteria: Criteria, page: Page = ALL, form: Form = Form.EBRIM) -> tuple[Found, ...]:
        return find.find(self.connection, criteria, self.visibility, page, form)

    def count(self, criteria: Criteria) -> int:
        return find.count(self.connection, criteria, self.visibility)


class Registry:
    """The Document Registry of one affinity domain. ITI TF-1: 10.1.1.3"""

    def __init__(
        self, units: Units, *, domain: AffinityDomain, render_fhir: RenderFhir, now: Callable[[], str]
    ) -> None:
        """`now` gives the time as DTM of 14 digits, UTC; `render_fhir` takes it as the time of the change."""
        self.units, self.domain, self.now = units, domain, now
        self._render_fhir, self._keys = render_fhir, Keys()

    @contextmanager
    def snapshot(self, visibility: Visibility) -> Iterator[Snapshot]:
        """Several questions answered from one committed state."""
        with self.units.read() as connection:
            yield Snapshot(connection, visibility)

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
        """Make a patient identifier known; False when it was. ITI TF-2: 3.8.4.1.3"""
        if identities.patient_key(unit.connection, patient_id.key) is not None:
            return False
        identities.add_patient(unit.connection, patient_id.key, self._keys.new())
        return True

    def lock(self, unit: UnitOfWork, patient_id: CX | None, unique_ids: Collection[str]) -> int | None:
        """Key of the patient, None when unknown; other submissions for it wait until this unit ends."""
        key = None if patient_id is None else identities.patient_key(unit.connection, patient_id.key)
        identities.lock(unit.connection, key, unique_ids)
        return key

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
        keys = [self._keys.new() for _ in things]
        submission_key = next(key for key, thing in zip(keys, things, strict=True) if isinstance(thing, SubmissionSet))
        rows = []
        for key, thing in zip(keys, things, strict=True):
            row = objects.row_of(thing, patient_key=patient_key, object_key=key, submission_key=submission_key)
            rows.append(row | self._renderings(thing, links.get(thing.entry_uuid, ())))
        objects.add(unit.connection, things, rows)

    def deprecate(self, unit: UnitOfWork, patient_key: int, entry_uuids: Collection[str]) -> None:
        """Set documents Deprecated and render them again. ITI TF-3: 4.2.2.2.3"""
        deprecated = AvailabilityStatus.DEPRECATED
        stored = objects.attributes_of(unit.connection, patient_key, entry_uuids)
        for entry_uuid, (object_key, attributes) in stored.items():
            entry = replace(from_json(DocumentEntry, attributes), availability_status=deprecated)
            sources = objects.associations_from(unit.connection, patient_key, entry_uuid)
            renderings = self._renderings(entry, [from_json(Association, source) for source in sources])
            objects.rewrite(unit.connection, patient_key, object_key, {"status": STATUSES[deprecated], **renderings})

    def sources_of(
        self, unit: UnitOfWork, patient_key: int, targets: Collection[str], association_types: Collection[str]
    ) -> set[str]:
        """Documents linked to the targets by associations of these types."""
        return objects.sources_of(unit.connection, patient_key, targets, association_types)

    def announce(
        self, unit: UnitOfWork, patient_key: int, things: Sequence[RegistryObject], *, transaction: str, caller: Caller
    ) -> None:
        """Leave an audit record and a notification beside what they tell about."""
        owner = next(thing for thing in things if isinstance(thing, SubmissionSet))
        record = {
            "transaction": transaction,
            "caller": caller.name,
            "outcome": "success",
            "recorded": self.now(),
            "submissionSet": owner.entry_uuid,
        }
        for topic in Topic:
            post(unit.connection, topic, record_key=self._keys.new(), patient_key=patient_key, record=record)

    def _renderings(self, thing: RegistryObject, links: Sequence[Association]) -> dict[str, str | bytes | None]:
        fhir = self._render_fhir(thing, links, self.now()) if isinstance(thing, DocumentEntry) else None
        return {"attributes": to_json(thing).decode(), "ebrim": write_object(thing), "fhir": fhir}
