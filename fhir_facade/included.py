"""What matches refer to, and what refers to them, beside them in one answer. FHIR R4 3.1.1.5.4."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from access_policy.permission import permits
from fhir_facade.fhir_json import write_json
from fhir_facade.patient import to_patient
from fhir_facade.patients import Patients
from fhir_facade.rendered import find_rendered
from fhir_facade.search_shape import Shape
from fhir_facade.shared_elements import fhir_id
from registry.criteria import Criteria, Form, Found
from registry.snapshot import Snapshot
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet
from xds.vocabulary import RELATIONSHIPS, AssociationType, AvailabilityStatus

_MEMBERS, _RELATED = (AssociationType.HAS_MEMBER,), tuple(sorted(RELATIONSHIPS))
_LISTS = (SubmissionSet, Folder)
# What is followed: association types, and the kinds at its other end.
_OF_KIND: Mapping[str, tuple[tuple[AssociationType, ...], tuple[type[RegistryObject], ...]]] = {
    "List:item": (_MEMBERS, (DocumentEntry, Folder)),
    "DocumentReference:relatesto": (_RELATED, (DocumentEntry,)),
}
_TO_KIND: Mapping[str, tuple[tuple[AssociationType, ...], tuple[type[RegistryObject], ...]]] = {
    "List:item": (_MEMBERS, _LISTS),
    "DocumentReference:relatesto": (_RELATED, (DocumentEntry,)),
}
_PATIENTS = ("patient", "subject")
_MOST_FOLLOWED = 1000  # objects in an answer behind which `:iterate` goes no further
# What reads a resource of this type: the transaction, and the letter of SMART.
_READ_BY: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "DocumentReference": ("ITI-67", ("DocumentReference.r",)),
    "List": ("ITI-66", ("List.r",)),
    "Patient": ("ITI-67", ("Patient.r",)),
}


class Included(NamedTuple):
    """One resource that is no match: its type, its id, its rendering; the entryUUID of an object of the registry."""

    resource: str
    fhir_id: str
    rendering: bytes
    entry_uuid: str = ""


def included(
    snapshot: Snapshot, found: Sequence[Found], shape: Shape, patients: Patients, subjects: Sequence[Mapping[str, Any]]
) -> Iterator[Included]:
    """Each once, and none that is a match itself. `subjects` are the subjects of the matches.

    A token opens what it has a scope for, and nothing more is there: what it would not let be read is left out.
    """
    beside = _found_beside(snapshot, found, shape, patients, subjects)
    return (one for one in beside if permits(patients.caller, *_READ_BY[one.resource]))


def _found_beside(
    snapshot: Snapshot, found: Sequence[Found], shape: Shape, patients: Patients, subjects: Sequence[Mapping[str, Any]]
) -> Iterator[Included]:
    told = {one.object_key for one in found}
    uuids = [one.entry_uuid for one in found]
    beside = list(_followed(snapshot, uuids, shape.includes, shape.reverse_includes, told))
    yield from beside
    while beside and len(told) < _MOST_FOLLOWED:
        uuids = [one.entry_uuid for one in beside]
        beside = list(_followed(snapshot, uuids, shape.iterated, shape.reverse_iterated, told))
        yield from beside
    if any(name.rpartition(":")[2] in _PATIENTS for name in shape.includes):
        yield from _subjects(patients, subjects)


def _followed(
    snapshot: Snapshot, uuids: Sequence[str], includes: Sequence[str], reverse_includes: Sequence[str], told: set[int]
) -> Iterator[Included]:
    """One step from these objects: what they lead to, and what leads to them, none that was told."""
    for name in includes:
        if name in _OF_KIND:
            types, kinds = _OF_KIND[name]
            links = _links(snapshot, Criteria(kind=Association, sources=tuple(uuids), association_types=types))
            yield from _objects(snapshot, [one.target or "" for one in links], kinds, told)
    for name in reverse_includes:
        types, kinds = _TO_KIND[name]
        links = _links(snapshot, Criteria(kind=Association, targets=tuple(uuids), association_types=types))
        yield from _objects(snapshot, [one.source or "" for one in links], kinds, told)


def _links(snapshot: Snapshot, criteria: Criteria) -> tuple[Found, ...]:
    if not (criteria.sources or criteria.targets):
        return ()
    return snapshot.find(_approved(criteria), form=Form.REFERENCE)


def _approved(criteria: Criteria) -> Criteria:
    return Criteria(
        kind=Association,
        sources=criteria.sources,
        targets=criteria.targets,
        association_types=criteria.association_types,
        statuses=(AvailabilityStatus.APPROVED,),
    )


def _objects(
    snapshot: Snapshot, entry_uuids: Sequence[str], kinds: Sequence[type[RegistryObject]], told: set[int]
) -> Iterator[Included]:
    wanted = tuple(sorted(set(entry_uuids)))
    for kind in kinds if wanted else ():
        for one in find_rendered(snapshot, Criteria(kind=kind, entry_uuids=wanted, on_demand=True)):
            if one.object_key not in told:
                told.add(one.object_key)
                name = "DocumentReference" if kind is DocumentEntry else "List"
                yield Included(name, fhir_id(one.logical_id), one.rendering, one.entry_uuid)


def _subjects(patients: Patients, subjects: Sequence[Mapping[str, Any]]) -> Iterator[Included]:
    """The Patients of the matches, as far as this server has them."""
    told: set[int] = set()
    for subject in subjects:
        patient_id = patients.subject(subject)
        if patient_id is None:
            continue
        for one in patients.identified(f"urn:oid:{patient_id.authority}", patient_id.id):
            if one.key not in told:
                told.add(one.key)
                yield Included("Patient", str(one.key), write_json(to_patient(one)))
