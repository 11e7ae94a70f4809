"""Generate Metadata [ITI-106]: a DocumentReference of the header of a CDA document, or of a Composition. MHD 2:3.106.

The SubmissionSet that XDS asks for is derived as in Simplified Publish [ITI-105].
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from access_policy.caller import Caller
from cda.document import read_document
from cda.document_entry import document_entry
from cda.header import read_header
from cda.unreadable import UnreadableDocument
from fhir_facade import iti65_provide_document_bundle as iti65
from fhir_facade.base64_text import octets_of
from fhir_facade.bundle_documents import WriteDocument
from fhir_facade.bundle_submission import lacks
from fhir_facade.fhir_document import document_reference
from fhir_facade.fhir_json import first, read_own_json, write_json
from fhir_facade.issues import Issue
from fhir_facade.iti105_simplified_publish import derived_bundle
from fhir_facade.operation_outcome import FhirProblem, bad_request, refusal
from fhir_facade.shared_elements import fhir_id
from fhir_facade.structural_rules import structural_rules
from fhir_facade.times import to_instant
from fhir_facade.xds_issues import rejected
from registry import iti42_register_document_set_b as iti42
from registry.store import Registry
from repository import iti41_provide_and_register_document_set_b as iti41
from repository.registration import InOneUnit
from repository.store import Repository
from storage.unit_of_work import StorageFailed, UnitOfWork
from xds.datatypes import CX, DTM
from xds.ebrim.attributes import SubmissionKind
from xds.ebrim.read import Reading
from xds.ebrim.value_rules import value_rules
from xds.errors import RegistryError, Rejected
from xds.identifiers import new_oid, new_uuid_urn
from xds.metadata import Association, DocumentEntry, Submission, SubmissionSet
from xds.vocabulary import AssociationType

_AT = "Parameters.parameter[0].resource"
_UNPROCESSABLE = 422


class Generated(NamedTuple):
    """The Parameters that name the DocumentReference, and where it is."""

    resource: bytes
    location: str


def handle(
    registry: Registry,
    repository: Repository,
    parameters: Mapping[str, Any],
    caller: Caller,
    *,
    base_url: str,
    content_type: str = "application/fhir+json",
    write_document: WriteDocument = write_json,
) -> Generated:
    """`content_type` is that of the request, in which a FHIR document is kept and `write_document` writes it.

    Raises FhirProblem, nothing stored: 400 for a request that is none, 422 for a document that tells too little.
    """
    document = _document(parameters)
    if document["resourceType"] == "Bundle":
        fhir = _Fhir(registry, repository, caller, base_url, content_type, write_document)
        return _generated(_of_fhir(fhir, document), base_url)
    octets = octets_of(document["data"])
    submission = _submission(registry, repository, _entry(registry, octets, document["contentType"]))
    (entry,) = submission.document_entries
    _provide(registry, repository, submission, octets, caller)
    return _generated(fhir_id(entry.entry_uuid), base_url)


def _generated(name: str, base_url: str) -> Generated:
    reference = f"DocumentReference/{name}"
    told = {"name": "DocumentReference", "valueReference": {"reference": reference}}
    return Generated(write_json({"resourceType": "Parameters", "parameter": [told]}), f"{base_url}/{reference}")


class _Fhir(NamedTuple):
    """Where a FHIR document goes, and how."""

    registry: Registry
    repository: Repository
    caller: Caller
    base_url: str
    content_type: str
    write: WriteDocument


def _of_fhir(way: _Fhir, document: Mapping[str, Any]) -> str:
    """A FHIR document as ITI-65 takes it, with a DocumentReference of its Composition; the logical id of that."""
    registry, now = way.registry, to_instant(DTM(way.registry.now()))
    try:
        reference = document_reference(document, way.content_type, registry.domain, now=now)
        answer = iti65.handle(
            registry,
            way.repository,
            derived_bundle(registry, way.repository, reference, document),
            way.caller,
            base_url=way.base_url,
            write_document=way.write,
            kind=SubmissionKind.GENERATION,
        )
    except FhirProblem as problem:
        raise _in_its_words(problem, _AT) from None
    return str(read_own_json(answer.decode())["entry"][0]["response"]["location"]).rpartition("/")[2]


def _document(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Binary, or the FHIR document, that the one parameter is. MHD 2:3.106.4.1.2"""
    issues = list(structural_rules(parameters))
    if issues:
        raise refusal(issues)
    given = parameters.get("parameter", ())
    if parameters["resourceType"] != "Parameters" or [one["name"] for one in given] != ["document"]:
        raise bad_request("expected Parameters with one parameter, document", expression="Parameters.parameter")
    resource: Mapping[str, Any] = first(given).get("resource", {})
    if resource.get("resourceType") == "Bundle":
        return resource
    if resource.get("resourceType") != "Binary" or "data" not in resource:
        raise bad_request("expected a Binary with data, or a document", code="required", expression=_AT)
    return resource


def _entry(registry: Registry, octets: bytes, content_type: str) -> DocumentEntry:
    """What the header tells; the patient is the one by whom the domain knows it."""
    try:
        header = read_header(read_document(octets))
    except UnreadableDocument as problem:
        raise FhirProblem(_UNPROCESSABLE, "structure", f"found no CDA document: {problem}", f"{_AT}.data") from None
    entry = document_entry(header, entry_uuid=new_uuid_urn()).entry
    known = (entry.patient_id, None if entry.source_patient_id is None else _plain(entry.source_patient_id))
    patient = next((one for one in known if one and not registry.domain.patient_id_problem(one)), entry.patient_id)
    return replace(entry, patient_id=patient, mime_type=content_type)


def _plain(identifier: CX) -> CX:
    return CX.of(id=identifier.id, authority=identifier.authority)


def _submission(registry: Registry, repository: Repository, entry: DocumentEntry) -> Submission:
    owner = SubmissionSet(
        entry_uuid=new_uuid_urn(),
        author=entry.author[:1],
        content_type_code=registry.domain.derived_content_type or entry.class_code,
        patient_id=entry.patient_id,
        source_id=repository.unique_id,
        submission_time=DTM(registry.now()),
        unique_id=new_oid(),
    )
    if registry.domain.limited_metadata_allowed:
        entry = replace(entry, limited_metadata=True) if lacks(entry) else entry
        owner = replace(owner, limited_metadata=True) if lacks(owner) else owner
    member = Association(
        entry_uuid=new_uuid_urn(),
        association_type=AssociationType.HAS_MEMBER,
        source=owner.entry_uuid,
        target=entry.entry_uuid,
        submission_set_status="Original",
    )
    return Submission(submission_set=owner, document_entries=(entry,), associations=(member,))


def _provide(registry: Registry, repository: Repository, submission: Submission, octets: bytes, caller: Caller) -> None:
    """The steps of ITI-41."""

    def register(unit: UnitOfWork, reading: Reading, caller: Caller) -> tuple[RegistryError, ...]:
        iti42.handle(registry, unit, reading, caller, kind=SubmissionKind.GENERATION)
        return ()

    (entry,) = submission.document_entries
    repository = replace(repository, registration=InOneUnit(registry.units, register))
    errors = tuple(error for thing in submission.objects for error in value_rules(thing))
    try:
        with repository.blobs.receive() as blob:
            blob.write(octets)
            blob.finish()
            received = iti41.Received(blobs={entry.entry_uuid: blob})
            iti41.handle(repository, Reading(submission=submission, errors=errors), received, caller)
    except Rejected as problem:
        raise _in_its_words(rejected(problem.errors, {entry.entry_uuid: "DocumentReference"})) from None
    except (OSError, StorageFailed) as problem:
        raise rejected([iti41.storage_error(problem)], {}) from None


def _in_its_words(problem: FhirProblem, at: str = f"{_AT}.data") -> FhirProblem:
    """What the document does not tell is at fault, whichever element of the DocumentReference lacks."""
    status = _UNPROCESSABLE if problem.status == 400 else problem.status
    issues = problem.issues or (Issue(problem.code, problem.diagnostics),)
    return refusal((Issue(*one[:2], at, *one[3:]) for one in issues), status)
