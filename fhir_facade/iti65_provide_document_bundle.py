"""Provide Document Bundle [ITI-65]: the submission of ITI-41, said in FHIR. MHD 2:3.65; ADR 0011."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from access_policy.caller import Caller
from access_policy.permission import permits
from access_policy.visibility import Purpose
from fhir_facade.bundle_documents import WriteDocument, check_documents, received
from fhir_facade.bundle_mapping import Mapping65
from fhir_facade.bundle_submission import read_submission
from fhir_facade.conditional import AlreadyThere, Condition, Match, PatientMatch, Unmet
from fhir_facade.fhir_json import read_own_json, write_json
from fhir_facade.issues import Issue
from fhir_facade.iti104_patient_identity_feed_fhir import FIRST_VERSION
from fhir_facade.newest import current
from fhir_facade.operation_outcome import outcome_of, refusal
from fhir_facade.patients import Patients, aliases
from fhir_facade.provide_bundle import BundleEntry, Slice, read_provide_bundle, unresolved
from fhir_facade.shared_elements import fhir_id
from fhir_facade.structural_rules import structural_rules
from fhir_facade.times import to_instant
from fhir_facade.version_tags import version_tag
from fhir_facade.xds_issues import issues_of, rejected
from registry import iti42_register_document_set_b as iti42
from registry import patient_resources
from registry.patients import Source
from registry.snapshot import Snapshot
from registry.sql.patient_resources import PatientRow
from registry.store import Registry
from repository import iti41_provide_and_register_document_set_b as iti41
from repository.registration import InOneUnit
from repository.store import Repository
from storage.unit_of_work import StorageFailed, UnitOfWork
from xds.datatypes import DTM
from xds.ebrim.attributes import SubmissionKind
from xds.ebrim.read import Reading
from xds.ebrim.value_rules import value_rules
from xds.errors import RegistryError, Rejected
from xds.metadata import DocumentEntry, Folder, Submission, SubmissionSet

_CREATED = (Slice.SUBMISSION_SET, Slice.DOCUMENT_REFERENCE, Slice.BINARY, Slice.FHIR_DOCUMENT)
_OBJECTS: Mapping[Slice, type[DocumentEntry | SubmissionSet | Folder]] = {
    Slice.SUBMISSION_SET: SubmissionSet,
    Slice.DOCUMENT_REFERENCE: DocumentEntry,
    Slice.PATCH: DocumentEntry,
    Slice.FOLDER: Folder,
}


@dataclass(slots=True, kw_only=True)
class Done:
    """What was done with entries, by their position: the Patients that were fed, and ETags as a read has them."""

    patients: dict[int, PatientRow] = field(default_factory=dict)
    tags: dict[int, str] = field(default_factory=dict)


def handle(
    registry: Registry,
    repository: Repository,
    bundle: Mapping[str, Any],
    caller: Caller,
    *,
    base_url: str,
    write_document: WriteDocument = write_json,
    kind: SubmissionKind = SubmissionKind.BUNDLE,
    unless: Condition | None = None,
) -> bytes:
    """The transaction-response. Raises FhirProblem with everything that was found, nothing stored.

    What is registered, and by which rules, is what ITI-41 with the same content registers. `write_document` writes a
    FHIR document in the format in which it is kept; `kind` is ITI-65, or ITI-105 which is said as one. Raises
    AlreadyThere where what is meant by `unless` exists, FhirProblem 412 where an entry is of another version.
    """
    issues = list(structural_rules(bundle))
    if not issues and bundle["resourceType"] != "Bundle":
        issues = [Issue("structure", "expected a Bundle", "Bundle")]
    if issues:
        raise refusal(issues)
    read = read_provide_bundle(bundle, issues)
    issues += unresolved(read)
    mapping = Mapping65(
        bundle=read,
        patients=Patients(registry=registry, caller=caller, base_url=base_url),
        issues=issues,
        kind=kind,
    )
    submission = read_submission(mapping)
    matches = _matches(mapping)
    documents = check_documents(mapping)
    if submission is None or any(issue.is_error for issue in issues):
        raise refusal(
            [one for one in issues if one.is_error] + list(_of_registry(registry, mapping, submission, caller))
        )
    done = Done()
    conditions = matches if unless is None else (unless, *matches)
    warnings = _provided(registry, repository, mapping, submission, documents, caller, done, write_document, conditions)
    moment = to_instant(DTM(registry.now()))
    outcome = _warned(issues, warnings, _places(mapping))
    entries = [_response(one, mapping, documents, done, moment, base_url, outcome) for one in read.entries]
    return write_json({"resourceType": "Bundle", "type": "transaction-response", "entry": entries})


def _matches(mapping: Mapping65) -> tuple[Condition, ...]:
    """`ifMatch` of what the Bundle changes. Raises FhirProblem 412 already where one is of another version now."""
    found = tuple(
        Match(kind=_OBJECTS[part], entry_uuid=mapping.updated[entry.number], tags=tags, at=at)
        for part in (Slice.PATCH, Slice.FOLDER)
        for entry, tags, at in _tagged(mapping, part)
        if entry.number in mapping.updated
    )
    if found:
        with mapping.patients.registry.seen_by(mapping.patients.caller, Purpose.METADATA) as snapshot:
            for one in found:
                one.holds(snapshot)
    patients = (
        PatientMatch(patient_id=mapping.patient_ids.get(entry.number), tags=tags, at=at)
        for entry, tags, at in _tagged(mapping, Slice.PATIENT)
    )
    return (*found, *patients)


def _tagged(mapping: Mapping65, part: Slice) -> Iterator[tuple[BundleEntry, str, str]]:
    """Entries that are meant for a version, `ifMatch`, and where that stands."""
    for entry in mapping.bundle.of(part):
        if "ifMatch" in entry.conditions:
            yield entry, entry.conditions["ifMatch"], f"Bundle.entry[{entry.number}].request.ifMatch"


def _tags(mapping: Mapping65, snapshot: Snapshot) -> Iterator[tuple[int, str]]:
    """ETags say what an object relates to, so that is read; what the caller may not read has none."""
    for part, kind in _OBJECTS.items():
        for entry in mapping.bundle.of(part):
            if part is Slice.DOCUMENT_REFERENCE and "relatesTo" not in entry.resource:
                yield entry.number, 'W/"1"'
                continue
            found = current(snapshot, kind, mapping.updated.get(entry.number) or mapping.uuids.get(entry.number, ""))
            if found is not None:
                yield entry.number, version_tag(read_own_json(found.rendering.decode()))


def _provided(
    registry: Registry,
    repository: Repository,
    mapping: Mapping65,
    submission: Submission,
    documents: Mapping[int, str],
    caller: Caller,
    done: Done,
    write_document: WriteDocument,
    conditions: tuple[Condition, ...],
) -> tuple[RegistryError, ...]:
    """The steps of ITI-41, with the patients of the Bundle fed in the same unit of work."""

    def register(unit: UnitOfWork, reading: Reading, caller: Caller) -> tuple[RegistryError, ...]:
        for condition in conditions:
            condition.check(registry, unit, submission, caller)
        done.patients = dict(_feed_patients(registry, unit, mapping, caller))
        iti42.handle(registry, unit, reading, caller, kind=mapping.kind)
        done.tags |= _tags(mapping, registry.seen_in(unit, caller, Purpose.METADATA))
        return ()

    repository = replace(repository, registration=InOneUnit(registry.units, register))
    errors = tuple(error for thing in submission.objects for error in value_rules(thing))
    reading = Reading(submission=submission, errors=errors)
    try:
        with received(repository.blobs, mapping, documents, write_document) as octets:
            done.tags |= {number: f'"{octets.blobs[uuid].digest().sha256}"' for number, uuid in documents.items()}
            return iti41.handle(repository, reading, octets, caller)
    except AlreadyThere:
        raise
    except Unmet as problem:
        raise problem.problem from None
    except Rejected as problem:
        raise rejected(problem.errors, _places(mapping)) from None
    except (OSError, StorageFailed) as problem:
        raise rejected([iti41.storage_error(problem)], {}) from None


def _feed_patients(
    registry: Registry, unit: UnitOfWork, mapping: Mapping65, caller: Caller
) -> Iterator[tuple[int, PatientRow]]:
    """Patients that the Bundle brings, where the domain and the caller may feed patients by FHIR. Raises Rejected."""
    if not (registry.domain.patients_by_fhir and permits(caller, "ITI-104")):
        return
    for entry in mapping.bundle.of(Slice.PATIENT):
        patient = mapping.patient_ids.get(entry.number)
        if entry.method == "GET" or patient is None or entry.number in mapping.present:
            continue
        fed = patient_resources.feed(
            registry,
            unit,
            patient,
            write_json(entry.resource).decode(),
            aliases(entry.resource),
            Source(transaction="ITI-104", caller=caller),
        )
        yield entry.number, fed


def _of_registry(
    registry: Registry, mapping: Mapping65, submission: Submission | None, caller: Caller
) -> Iterator[Issue]:
    """What the registry would say as well of a submission that is refused anyway, but for what is missing in it."""
    if submission is None:
        return

    def register(unit: UnitOfWork, reading: Reading, caller: Caller) -> tuple[RegistryError, ...]:
        dict(_feed_patients(registry, unit, mapping, caller))
        iti42.handle(registry, unit, reading, caller, kind=mapping.kind)
        return ()

    named = {(thing.entry_uuid, name) for thing in submission.objects for name in thing.__slots__}
    reading = Reading(submission=submission, unreadable=frozenset(named))
    found = InOneUnit(registry.units, register).findings(reading, caller)
    told = {issue.expression for issue in mapping.issues}
    yield from (one for one in issues_of(found, _places(mapping)) if one.expression not in told)


def _places(mapping: Mapping65) -> dict[str, str]:
    """entryUUID -> where the resource stands in the Bundle, or the reference that makes an association."""
    return {uuid: f"Bundle.entry[{number}].resource" for number, uuid in mapping.uuids.items()} | mapping.places


def _warned(issues: list[Issue], warnings: tuple[RegistryError, ...], places: Mapping[str, str]) -> list[Issue]:
    return [*(one for one in issues if not one.is_error), *issues_of(warnings, places)]


def _response(
    entry: BundleEntry,
    mapping: Mapping65,
    documents: Mapping[int, str],
    done: Done,
    moment: str,
    base_url: str,
    warnings: list[Issue],
) -> dict[str, Any]:
    """One entry of the answer, in the order of the request. MHD 2:3.65.4.2"""
    is_new = entry.slice in _CREATED or (entry.slice is Slice.FOLDER and entry.method == "POST")
    fed, tag = done.patients.get(entry.number), done.tags.get(entry.number)
    if fed is not None:
        is_new, tag = fed.version == FIRST_VERSION, f'W/"{fed.version}"'
    response: dict[str, Any] = {"status": "201 Created" if is_new else "200 OK"}
    location = _location(entry, mapping, documents, done)
    response |= ({"location": f"{base_url}/{location}"} if location else {}) | ({"etag": tag} if tag else {})
    response |= {"lastModified": moment}
    told = [one for one in warnings if one.expression.startswith(f"{entry.at}.") or one.expression == entry.at]
    return {"response": response | ({"outcome": outcome_of(told)} if told else {})}


def _location(entry: BundleEntry, mapping: Mapping65, documents: Mapping[int, str], done: Done) -> str:
    """Without a version: it is read there again when its status has changed. MHD 2:3.65.4.2"""
    uuid = mapping.uuids.get(entry.number) or mapping.updated.get(entry.number) or documents.get(entry.number, "")
    kinds = {
        Slice.SUBMISSION_SET: "List",
        Slice.FOLDER: "List",
        Slice.DOCUMENT_REFERENCE: "DocumentReference",
        Slice.PATCH: "DocumentReference",
        Slice.BINARY: "Binary",
        Slice.FHIR_DOCUMENT: "Binary",
    }
    if entry.slice is Slice.PATIENT:
        fed = done.patients.get(entry.number)
        key = mapping.present.get(entry.number) if fed is None else fed.key
        return "" if key is None else f"Patient/{key}"
    return f"{kinds[entry.slice]}/{fhir_id(uuid)}" if entry.slice is not None else ""
