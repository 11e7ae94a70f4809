"""Remove Metadata [ITI-62]. Remove Metadata and Documents 3.62."""

from collections.abc import Iterable, Sequence

from lxml import etree

from access_policy.caller import Caller
from audit.objects import a_removed_object
from audit.occurrence import Occurrence
from registry.answers import registry_answer
from registry.life_cycle import touch_folders
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.metadata import Association
from xds.metadata_update_facts import Held
from xds.removal_rules import RemovalFacts, removal_rules
from xds.vocabulary import RELATIONSHIPS, RIM, AssociationType

TRANSACTION = "ITI-62"
_OBJECT_REF = f"{{{RIM}}}ObjectRef"
_ADHOC_QUERY = f"{{{RIM}}}AdhocQuery"


def soap(registry: Registry, body: etree._Element, caller: Caller) -> bytes:
    """`lcm:RemoveObjectsRequest` -> `rs:RegistryResponse`."""

    def work() -> tuple[RegistryError, ...]:
        registry.units.write(lambda unit: handle(registry, unit, read_object_refs(body), caller))
        return ()

    return registry_answer(body, work, finding=_registry_error)


def read_object_refs(body: etree._Element) -> tuple[str, ...]:
    """The entryUUIDs to remove. Raises Rejected for a request that asks in any other way."""
    errors = []
    if body.find(f".//{_ADHOC_QUERY}") is not None:
        errors.append(_registry_error("RemoveObjectsRequest: found an AdhocQuery, expected ObjectRefs only"))
    if body.get("deletionScope") is not None:
        errors.append(_registry_error("RemoveObjectsRequest: found a deletionScope, expected none"))
    identifiers = tuple((element.get("id") or "").strip() for element in body.iter(_OBJECT_REF))
    if not identifiers:
        errors.append(_registry_error("RemoveObjectsRequest: found no ObjectRef, expected at least one"))
    if errors:
        raise Rejected(errors)
    return identifiers


def handle(registry: Registry, unit: UnitOfWork, entry_uuids: Sequence[str], caller: Caller) -> None:
    """Remove all of these objects, or none. Their documents stay. Remove Metadata and Documents 3.62.4.1.3

    Raises Rejected with everything that stands against it.
    """
    registry.lock_all(unit, (), references=entry_uuids)
    removed = registry.held(unit, set(entry_uuids))
    facts = _facts(registry, unit, removed)
    errors = tuple(removal_rules(entry_uuids, facts))
    if errors:
        raise Rejected(errors)
    registry.remove(unit, list(removed.values()))
    links = [one.thing for one in removed.values() if isinstance(one.thing, Association)]
    holders = {a.source for a in links if a.association_type is AssociationType.HAS_MEMBER} - removed.keys()
    for folder in touch_folders(registry, unit, holders):
        patient = "" if folder.patient_id is None else folder.patient_id.key
        registry.notifier.changed(unit, patient, (), (folder,), registry.now())
    shown = {a.source for a in links if a.association_type in (*RELATIONSHIPS, AssociationType.HAS_MEMBER)}
    registry.render_again(unit, shown - removed.keys())
    _record(registry, unit, removed.values(), caller)


def _facts(registry: Registry, unit: UnitOfWork, removed: dict[str, Held]) -> RemovalFacts:
    ends = {
        end
        for one in removed.values()
        if isinstance(one.thing, Association)
        for end in (one.thing.source, one.thing.target)
    }
    links = [one.thing for one in registry.links(unit, removed.keys() | ends)] if removed else []
    associations = tuple(link for link in links if isinstance(link, Association))
    others = ends | {link.source for link in associations}
    held = removed | registry.held(unit, others - removed.keys())
    sources = {one.thing.source for one in held.values() if isinstance(one.thing, Association)}
    held |= registry.held(unit, sources - held.keys())
    return RemovalFacts(objects={uuid: one.thing for uuid, one in held.items()}, links=associations)


def _record(registry: Registry, unit: UnitOfWork, removed: Iterable[Held], caller: Caller) -> None:
    """One audit record for each patient concerned. Remove Metadata and Documents 3.62.5"""
    by_patient: dict[int, list[str]] = {}
    for one in removed:
        by_patient.setdefault(one.key[0], []).append(one.thing.entry_uuid)
    for patient_key, entry_uuids in sorted(by_patient.items()):
        patient = registry.patient_of(unit, patient_key)
        objects = tuple(a_removed_object(one) for one in sorted(entry_uuids))
        registry.recorder.record(unit, [Occurrence(event=TRANSACTION, patient=patient, objects=objects)], caller)


def _registry_error(context: str) -> RegistryError:
    return RegistryError(code=ErrorCode.REGISTRY, context=context)
