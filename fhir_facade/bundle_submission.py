"""A Provide Document Bundle as the submission that ITI-41 takes: objects, associations, where the octets are.

MHD 2:3.65.4.1.2, 3:4.2; the numbers R4 to R7 are rules that stand in no profile.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from fhir_facade.bundle_folders import folder_members, updated_folder
from fhir_facade.bundle_mapping import Mapping65, object_of, unknown
from fhir_facade.document_list import from_folder_list, from_submission_set_list
from fhir_facade.document_reference import from_document_reference
from fhir_facade.issues import Issue
from fhir_facade.iti104_patient_identity_feed_fhir import matching
from fhir_facade.operation_outcome import FhirProblem
from fhir_facade.patients import given_identifier
from fhir_facade.provide_bundle import BundleEntry, Slice, says_superseded
from fhir_facade.reader import Reader, identifier_kind
from fhir_facade.shared_elements import fhir_id
from fhir_facade.submitted import keep
from xds.datatypes import CX
from xds.ebrim.attributes import TABLES, Usage
from xds.identifiers import is_uuid_urn, new_oid, new_uuid_urn
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, Submission, SubmissionSet
from xds.vocabulary import AssociationType

_RELATIONS = {
    "replaces": AssociationType.RPLC,
    "transforms": AssociationType.XFRM,
    "appends": AssociationType.APND,
    "signs": AssociationType.SIGNS,
}
T = TypeVar("T", DocumentEntry, SubmissionSet, Folder)


def read_submission(mapping: Mapping65) -> Submission | None:
    """The submission of a Bundle whose entries are what they should be; None when it has no one SubmissionSet."""
    bundle = mapping.bundle
    sets = bundle.of(Slice.SUBMISSION_SET)
    for entry in bundle.of(Slice.PATIENT):
        made = _present(mapping, entry) or given_identifier(entry.resource, mapping.patients.registry.domain)
        if made is not None:
            mapping.patient_ids[entry.number] = made
    for entry in (*sets, *bundle.of(Slice.DOCUMENT_REFERENCE, Slice.FOLDER)):
        mapping.uuids[entry.number] = _entry_uuid(entry)
    patient = _one_patient(mapping)
    entries = tuple(
        _read(mapping, one, from_document_reference, patient) for one in bundle.of(Slice.DOCUMENT_REFERENCE)
    )
    if len(sets) != 1:
        return None
    owner = _read(mapping, sets[0], from_submission_set_list, patient)
    folders = _folders(mapping, owner, patient)
    for entry in bundle.of(Slice.DOCUMENT_REFERENCE):
        _relate(mapping, entry)
    _own(mapping, sets[0], owner)
    _check_patches(mapping)
    return Submission(
        submission_set=owner, document_entries=entries, folders=folders, associations=tuple(mapping.associations)
    )


def _present(mapping: Mapping65, entry: BundleEntry) -> CX | None:
    """The patient that `ifNoneExist` finds, who is not fed again. FHIR R4 3.1.0.8.1"""
    condition = entry.conditions.get("ifNoneExist")
    if condition is None:
        return None
    try:
        found = matching(mapping.patients, condition)
    except FhirProblem as problem:
        at = f"Bundle.entry[{entry.number}].request.ifNoneExist"
        mapping.issues.append(Issue(problem.code, problem.diagnostics, at))
        return None
    if found is None:
        return None
    mapping.present[entry.number] = found.key
    return found.patient_id


def _entry_uuid(entry: BundleEntry) -> str:
    """The entryUUID the sender chose, or a new one. MHD 3:4.2.3.1"""
    for identifier in entry.resource.get("identifier", ()):
        value = identifier.get("value", "").lower()
        if identifier_kind(identifier) == "entryUUID" and is_uuid_urn(value):
            return str(value)
    return new_uuid_urn()


# --- the patient -----------------------------------------------------------------------------


def _one_patient(mapping: Mapping65) -> CX | None:
    """R6: all subjects are the same patient, one that this server knows or is just told of."""
    found: dict[str, CX] = {}
    told: dict[str, CX | None] = {}  # most Bundles say the same subject everywhere
    for entry in mapping.bundle.of(Slice.SUBMISSION_SET, Slice.DOCUMENT_REFERENCE, Slice.FOLDER):
        subject = entry.resource.get("subject")
        if subject is None:
            continue  # a finding of its profile
        text = str(subject)
        patient = told[text] if text in told else told.setdefault(text, subject_of(mapping, subject))
        if patient is None:
            sentence = "found a reference to no patient of this server, expected one that it knows"
            mapping.issues.append(Issue("not-found", sentence, f"{entry.at}.subject", "XDSUnknownPatientId"))
        else:
            found.setdefault(patient.key, patient)
            if len(found) > 1:
                sentence = "found another patient than that of the other subjects of the Bundle"
                issue = Issue("business-rule", sentence, f"{entry.at}.subject", "XDSPatientIdDoesNotMatch")
                mapping.issues.append(issue)
                break
    return next(iter(found.values()), None)


def subject_of(mapping: Mapping65, subject: Mapping[str, Any]) -> CX | None:
    """The patient of a Patient entry of the Bundle, or of this server."""
    entry = mapping.bundle.by_full_url.get(subject.get("reference", ""))
    if entry is None or entry.slice is not Slice.PATIENT:
        return mapping.patients.subject(subject)
    if entry.method == "GET":
        return mapping.patients.subject({"reference": entry.url})
    return mapping.patient_ids.get(entry.number)


# --- objects ---------------------------------------------------------------------------------


def _read(mapping: Mapping65, entry: BundleEntry, read: Callable[..., T], patient: CX | None) -> T:
    """One object, first version, with the resource it was sent as."""
    by_full_url = mapping.bundle.by_full_url

    def elsewhere(reference: str) -> Mapping[str, Any] | None:
        found = by_full_url.get(reference)
        return None if found is None or not found.resource else found.resource

    domain = mapping.patients.registry.domain
    reader = Reader(resource=entry.resource, at=entry.at, domain=domain, elsewhere=elsewhere)
    thing = read(reader, entry_uuid=mapping.uuids[entry.number], patient=patient)
    mapping.issues += reader.issues
    if mapping.bundle.level.allows_limited_metadata and domain.limited_metadata_allowed and lacks(thing):
        thing = replace(thing, limited_metadata=True)
    thing = replace(thing, logical_id=None, version=None, availability_status=None)
    return keep(thing, _with_locations(entry.resource, mapping))


def _with_locations(value: Any, mapping: Mapping65) -> Any:
    """The resource with references to entries of its Bundle as what these entries become. FHIR R4 3.1.0.11.2"""
    if isinstance(value, list):
        return [_with_locations(one, mapping) for one in value]
    if not isinstance(value, dict):
        return value
    entry = mapping.bundle.by_full_url.get(value.get("reference", "")) if "reference" in value else None
    if entry is None:
        return {name: _with_locations(one, mapping) for name, one in value.items()}
    if entry.slice is Slice.PATIENT:
        made = mapping.patient_ids.get(entry.number)
        identifier = next(iter(entry.resource.get("identifier", ())), None) or _identifier(made)
        kept = {name: one for name, one in value.items() if name != "reference"}
        return kept | ({"identifier": identifier} if identifier else {})
    uuid = mapping.uuids.get(entry.number)
    return value if uuid is None else {**value, "reference": f"{entry.resource['resourceType']}/{fhir_id(uuid)}"}


def lacks(thing: RegistryObject) -> bool:
    """Whether an attribute is missing that ITI-41 requires, beside those that are completed later."""
    rows = TABLES[type(thing)].attributes
    return any(row.provide is Usage.REQUIRED and getattr(thing, row.field) in (None, ()) for row in rows)


def _folders(mapping: Mapping65, owner: SubmissionSet, patient: CX | None) -> tuple[Folder, ...]:
    """New folders; the members of those that are updated are memberships of stored ones."""
    made = []
    for entry in mapping.bundle.of(Slice.FOLDER):
        if entry.method == "PUT":
            stored = updated_folder(mapping.patients, entry, mapping.issues)
            if stored is None:
                mapping.uuids.pop(entry.number)
                continue
            mapping.uuids[entry.number] = mapping.updated[entry.number] = stored.entry_uuid
            present = stored.members
        else:
            folder = _read(mapping, entry, from_folder_list, patient)
            made.append(folder if folder.unique_id else replace(folder, unique_id=new_oid()))
            present = frozenset[str]()
        for number, target in folder_members(entry):
            uuid, at = object_of(mapping, target, "DocumentReference"), f"{entry.at}.entry[{number}].item"
            if uuid is None:
                unknown(mapping, at)
            elif uuid not in present:
                member = _associate(mapping, AssociationType.HAS_MEMBER, mapping.uuids[entry.number], uuid, at=at)
                _associate(mapping, AssociationType.HAS_MEMBER, owner.entry_uuid, member)
    return tuple(made)


def _identifier(patient: CX | None) -> dict[str, str] | None:
    return None if patient is None else {"system": f"urn:oid:{patient.authority}", "value": patient.id}


# --- associations ----------------------------------------------------------------------------


def _associate(
    mapping: Mapping65, kind: AssociationType, source: str, target: str, status: str | None = None, *, at: str = ""
) -> str:
    uuid = new_uuid_urn()
    if at:
        mapping.places[uuid] = at
    mapping.associations.append(
        Association(entry_uuid=uuid, association_type=kind, source=source, target=target, submission_set_status=status)
    )
    return uuid


def _relate(mapping: Mapping65, entry: BundleEntry) -> None:
    """relatesTo of a new document; transforms and replaces of one target are one XFRM_RPLC. ITI TF-3: 4.2.2.2"""
    kinds: dict[str, set[AssociationType]] = {}
    places: dict[str, str] = {}
    for number, relation in enumerate(entry.resource.get("relatesTo", ())):
        uuid, at = object_of(mapping, relation["target"], "DocumentReference"), f"{entry.at}.relatesTo[{number}].target"
        if uuid is None:
            unknown(mapping, at)
        else:
            kinds.setdefault(uuid, set()).add(_RELATIONS[relation["code"]])
            places[uuid] = at
    for uuid, found in kinds.items():
        if {AssociationType.RPLC, AssociationType.XFRM} <= found:
            found = found - {AssociationType.RPLC, AssociationType.XFRM} | {AssociationType.XFRM_RPLC}
        for kind in sorted(found):
            _associate(mapping, kind, mapping.uuids[entry.number], uuid, at=places[uuid])
        if found & {AssociationType.RPLC, AssociationType.XFRM_RPLC}:
            mapping.replaced[uuid] = entry.at


def _own(mapping: Mapping65, entry: BundleEntry, owner: SubmissionSet) -> None:
    """Members of the SubmissionSet: Original for what it brings, Reference for what is stored. MHD 3:4.2.2"""
    original = {mapping.uuids[one.number] for one in mapping.bundle.of(Slice.DOCUMENT_REFERENCE)}
    folders = {mapping.uuids[one.number] for one in mapping.bundle.of(Slice.FOLDER)}
    stored = set(mapping.updated.values())
    for number, member in enumerate(entry.resource.get("entry", ())):
        uuid, at = object_of(mapping, member["item"], "DocumentReference", "List"), f"{entry.at}.entry[{number}].item"
        if uuid is None:
            unknown(mapping, at)
        elif uuid in stored:
            continue  # what is new about a stored folder are its memberships
        else:
            status = None if uuid in folders else "Original" if uuid in original else "Reference"
            _associate(mapping, AssociationType.HAS_MEMBER, owner.entry_uuid, uuid, status, at=at)
    for uuid in _unnamed(mapping, owner, folders - stored):
        _associate(mapping, AssociationType.HAS_MEMBER, owner.entry_uuid, uuid)


def _unnamed(mapping: Mapping65, owner: SubmissionSet, folders: set[str]) -> set[str]:
    """New folders that the SubmissionSet does not list: that they are in the Bundle makes them its members."""
    return folders - {one.target for one in mapping.associations if one.source == owner.entry_uuid}


# --- the status of what is replaced ----------------------------------------------------------


def _check_patches(mapping: Mapping65) -> None:
    """An update of a stored document says no more than a replacement of this Bundle does. MHD 2:3.65.4.1.2.2"""
    for entry in mapping.bundle.of(Slice.PATCH):
        uuid = object_of(mapping, {"reference": entry.url}, "DocumentReference")
        if uuid is None:
            unknown(mapping, f"Bundle.entry[{entry.number}].request.url")
        elif uuid not in mapping.replaced:
            sentence = "found an update of a document that no DocumentReference of the Bundle replaces"
            issue = Issue("business-rule", sentence, f"Bundle.entry[{entry.number}].request.url")
            mapping.issues.append(issue)
        else:
            mapping.updated[entry.number] = uuid
        if not says_superseded(entry.resource):
            sentence = "expected one operation: type replace, path DocumentReference.status, value superseded"
            mapping.issues.append(Issue("value", sentence, entry.at))
