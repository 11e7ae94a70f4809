"""What an update does to objects: new versions, carried associations, changed statuses.

XDS Metadata Update 3.57.4.1.3.3, Restricted Metadata Update 3.92.4.1.3.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from registry.life_cycle import (
    FIRST_VERSION,
    a_member,
    carried_memberships,
    deprecate_replaced,
    first_version,
    is_open_folder,
    replacements,
    touch_folders,
    touched,
)
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.association_update_rules import propagation_rules, reconciliation_rules
from xds.errors import Rejected
from xds.identifiers import new_uuid_urn
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet
from xds.metadata_update import MetadataUpdate, Operations, StatusUpdate
from xds.metadata_update_facts import Held, UpdateFacts
from xds.metadata_update_rules import updated_by
from xds.vocabulary import METADATA_UPDATE_TRIGGERS, RELATIONSHIPS, AssociationType, AvailabilityStatus

DEPRECATED = AvailabilityStatus.DEPRECATED


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One update on its way: what was asked for, what is stored, where it happens."""

    registry: Registry
    unit: UnitOfWork
    operations: Operations
    facts: UpdateFacts

    def replaced(self) -> dict[str, MetadataUpdate]:
        """entryUUID of each present version -> the update that replaces it."""
        return {
            self.facts.newest[update.logical_id].thing.entry_uuid: update for update in self.operations.metadata_updates
        }


class Updated(NamedTuple):
    """The objects that were added, and stored ones that got another status or other members, as they are now."""

    added: tuple[RegistryObject, ...]
    changed: tuple[RegistryObject, ...]


def updated(change: Change, patient_key: int, *, recreate_references: bool = False) -> Updated:
    """Carry an update out whose rules all held.

    `recreate_references`: references of other SubmissionSets follow the new version [ITI-92].
    Raises Rejected for what can only be told from the state after the update, nothing stored.
    """
    registry, unit = change.registry, change.unit
    links = registry.links(unit, change.replaced()) if change.operations.metadata_updates else []
    approved = [link for link in links if link.is_approved]
    errors = tuple(propagation_rules(change.operations, _associations(approved), change.facts))
    if errors:
        raise Rejected(errors)
    things = _own_objects(change)
    copies = _propagated(change, approved)
    references = _references(change, approved) if recreate_references else {}
    memberships = _memberships(change, things, [*copies, *_submitted(change, things)])
    carried = carried_memberships(registry, unit, things)
    added = (*things, *copies, *references.values(), *memberships, *carried)
    registry.add(unit, patient_key, added)
    deprecate_replaced(registry, unit, patient_key, {one.target for one in replacements(things)})
    _deprecate_previous(change)
    for stored in references:
        registry.rewrite(unit, stored, replace(stored.thing, availability_status=DEPRECATED))
    changed = _change_statuses(change)
    folders = _touch(change, [*added, *changed])
    _render_relationships(change, [*copies, *_submitted(change, things), *changed])
    _check_reconciled(change, added)
    return Updated(added, (*changed, *folders))


def _associations(links: Iterable[Held]) -> list[Association]:
    return [link.thing for link in links if isinstance(link.thing, Association)]


def _own_objects(change: Change) -> tuple[RegistryObject, ...]:
    """The objects of the request as they are stored: everything but the trigger associations."""
    now = change.registry.now()
    owner = change.operations.submission_set
    things: list[RegistryObject] = [] if owner is None else [first_version(owner, now=now)]
    for update in change.operations.metadata_updates:
        things.append(_new_version(change, update))
        things += [] if update.member is None else [first_version(update.member, now=now)]
    for submitted in change.operations.submitted_associations:
        things += [] if submitted.association is None else [first_version(submitted.association, now=now)]
    return tuple(things)


def _submitted(change: Change, things: Iterable[RegistryObject]) -> list[Association]:
    ids = {one.association.entry_uuid for one in change.operations.submitted_associations if one.association}
    return [thing for thing in things if isinstance(thing, Association) and thing.entry_uuid in ids]


def _new_version(change: Change, update: MetadataUpdate) -> DocumentEntry | Folder:
    """V1, V9 and U10: the next version, with the status of the present one or the one asked for beside it."""
    present = change.facts.newest[update.logical_id]
    status = present.status
    for asked in change.operations.status_updates:
        if updated_by(change.operations, asked.trigger.target, change.facts) is update:
            status = asked.new_status
    version = (present.thing.version or FIRST_VERSION) + 1
    new = replace(update.thing, logical_id=update.logical_id, version=version, availability_status=status)
    if isinstance(present.thing, DocumentEntry | Folder):  # what only FHIR said of it goes on with it
        new = replace(new, submitted_fhir=present.thing.submitted_fhir)
    if isinstance(new, Folder):
        before = present.thing.last_update_time if isinstance(present.thing, Folder) else None
        return touched(replace(new, last_update_time=before), now=change.registry.now())
    return new


def _deprecate_previous(change: Change) -> None:
    """V2"""
    for update in change.operations.metadata_updates:
        present = change.facts.newest[update.logical_id]
        deprecated = replace(present.thing, availability_status=DEPRECATED)
        change.registry.rewrite(change.unit, present, deprecated, is_current=False)


# --- propagation -----------------------------------------------------------------------------


def _propagated(change: Change, links: Sequence[Held]) -> list[Association]:
    """V3, V4, V5, V7: the Approved memberships and relationships of a present version, copied to the new one."""
    new_of = {present: u.thing.entry_uuid for present, u in change.replaced().items() if u.propagates}
    carried = [one for one in _associations(links) if _is_carried(one) and {one.source, one.target} & new_of.keys()]
    ends = change.registry.held(change.unit, {end for one in carried for end in (one.source, one.target)})
    known = {
        (one.association.source, one.association.target, one.association.association_type)
        for one in change.operations.submitted_associations
        if one.association is not None
    }
    copies = []
    for one in carried:
        source, target = new_of.get(one.source, one.source), new_of.get(one.target, one.target)
        if (source, target, one.association_type) in known or not _stays_linked(one, new_of, ends):
            continue
        known.add((source, target, one.association_type))
        entry_uuid = new_uuid_urn()
        copy = replace(one, entry_uuid=entry_uuid, logical_id=entry_uuid, source=source, target=target)
        copies.append(replace(copy, version=FIRST_VERSION))
    return copies


def _is_carried(link: Association) -> bool:
    return link.association_type is AssociationType.HAS_MEMBER or link.association_type in RELATIONSHIPS


def _stays_linked(link: Association, new_of: Mapping[str, str], ends: Mapping[str, Held]) -> bool:
    """The end that is not replaced must be one that links may still lead to."""
    for end in (link.source, link.target):
        stored = ends.get(end)
        if stored is None or (end not in new_of and not stored.is_current):
            return False
    if link.association_type is not AssociationType.HAS_MEMBER:
        return True
    return is_open_folder(ends[link.source]) and ends[link.target].is_approved


def _references(change: Change, links: Sequence[Held]) -> dict[Held, Association]:
    """References of other SubmissionSets to a present version, and what takes their place."""
    new_of = {present: update.thing.entry_uuid for present, update in change.replaced().items()}
    found: dict[Held, Association] = {}
    for link in links:
        one = link.thing
        if isinstance(one, Association) and one.submission_set_status == "Reference" and one.target in new_of:
            entry_uuid = new_uuid_urn()
            copy = replace(one, entry_uuid=entry_uuid, logical_id=entry_uuid, target=new_of[one.target])
            found[link] = replace(copy, version=FIRST_VERSION)
    return found


def _memberships(
    change: Change, things: Sequence[RegistryObject], associations: Iterable[Association]
) -> list[Association]:
    """The SubmissionSet holds every Folder membership that the request brings about."""
    if not change.registry.domain.propagated_memberships_are_members:
        associations = _submitted(change, things)
    owner = next(thing for thing in things if isinstance(thing, SubmissionSet))
    return [
        a_member(owner.entry_uuid, one.entry_uuid)
        for one in associations
        if one.association_type is AssociationType.HAS_MEMBER
    ]


# --- statuses --------------------------------------------------------------------------------


def _change_statuses(change: Change) -> list[RegistryObject]:
    """U10: statuses of objects of which the request brings no new version; returns them as they are now."""
    changed: list[RegistryObject] = []
    for asked in change.operations.status_updates:
        if updated_by(change.operations, asked.trigger.target, change.facts) is None:
            changed.append(_with_status(change, asked))
    return changed


def _with_status(change: Change, asked: StatusUpdate) -> RegistryObject:
    stored = change.facts.objects[asked.trigger.target]
    thing = replace(stored.thing, availability_status=asked.new_status)
    change.registry.rewrite(change.unit, stored, thing)
    return thing


def _touch(change: Change, things: Iterable[RegistryObject]) -> tuple[Folder, ...]:
    """L7, L8: folders whose members or status changed."""
    own = {update.thing.entry_uuid for update in change.operations.metadata_updates}
    entered = {
        thing.source
        for thing in things
        if isinstance(thing, Association) and thing.association_type is AssociationType.HAS_MEMBER
    } | {thing.entry_uuid for thing in things if isinstance(thing, Folder)}
    return touch_folders(change.registry, change.unit, entered - own)


def _render_relationships(change: Change, things: Iterable[RegistryObject]) -> None:
    """A document shows the relationships that start from it, in its FHIR rendering."""
    sources = {t.source for t in things if isinstance(t, Association) and t.association_type in RELATIONSHIPS}
    change.registry.render_again(change.unit, sources)


def _check_reconciled(change: Change, added: Collection[RegistryObject]) -> None:
    """U21, on the state after the update; raises Rejected, which takes everything back."""
    concerned = {thing.entry_uuid for thing in added if not isinstance(thing, Association | SubmissionSet)}
    concerned |= {end for thing in added if isinstance(thing, Association) for end in (thing.source, thing.target)}
    concerned |= {asked.trigger.target for asked in change.operations.status_updates}
    links = _associations(link for link in change.registry.links(change.unit, concerned) if link.is_approved)
    links += [
        stored.thing
        for stored in change.registry.held(change.unit, concerned).values()
        if isinstance(stored.thing, Association) and stored.is_approved
    ]
    ends = change.registry.held(change.unit, {end for link in links for end in (link.source, link.target)})
    errors = tuple(
        reconciliation_rules([link for link in links if link.association_type not in METADATA_UPDATE_TRIGGERS], ends)
    )
    if errors:
        raise Rejected(errors)
