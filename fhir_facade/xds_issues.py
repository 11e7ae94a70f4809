"""Errors of XDS as issues of FHIR: which code, and at which element of a Bundle. MHD open issue MHD_065."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from fhir_facade.issues import Issue
from fhir_facade.operation_outcome import XDS_ERRORS, FhirProblem, refusal
from registry.claims import is_of_other_patient
from xds.errors import ErrorCode, RegistryError

# Attribute of XDS -> element of DocumentReference, or of List where it has no dot-less homonym there.
ELEMENTS: Mapping[str, str] = {
    "uniqueId": "masterIdentifier",
    "entryUUID": "identifier",
    "typeCode": "type",
    "classCode": "category[0]",
    "patientId": "subject",
    "author": "author",
    "legalAuthenticator": "authenticator",
    "comments": "description",
    "confidentialityCode": "securityLabel",
    "mimeType": "content[0].attachment.contentType",
    "languageCode": "content[0].attachment.language",
    "size": "content[0].attachment.size",
    "hash": "content[0].attachment.hash",
    "title": "content[0].attachment.title",
    "creationTime": "content[0].attachment.creation",
    "formatCode": "content[0].format",
    "eventCodeList": "context.event",
    "serviceStartTime": "context.period.start",
    "serviceStopTime": "context.period.end",
    "healthcareFacilityTypeCode": "context.facilityType",
    "practiceSettingCode": "context.practiceSetting",
    "sourcePatientId": "context.sourcePatientInfo",
    "sourcePatientInfo": "context.sourcePatientInfo",
    "referenceIdList": "context.related",
    "homeCommunityId": "extension",
}
LIST_ELEMENTS: Mapping[str, str] = {
    "uniqueId": "identifier",
    "entryUUID": "identifier",
    "patientId": "subject",
    "author": "source",
    "comments": "note",
    "title": "title",
    "contentTypeCode": "extension",
    "codeList": "extension",
    "sourceId": "extension",
    "submissionTime": "date",
    "intendedRecipient": "extension",
    "homeCommunityId": "extension",
}
_UUID = re.compile(r"urn:uuid:[0-9a-f-]{36}")
_ATTRIBUTE = re.compile(r"\S+ : ?(\w+)|\A\w+ \S+: (\w+)")


def issues_of(errors: Iterable[RegistryError], places: Mapping[str, str]) -> Iterator[Issue]:
    """`places`: entryUUID -> FHIRPath of the resource. An object is named by its place, as its sender knows it."""
    for error in told(errors):
        _, code = XDS_ERRORS.get(error.code, (400, "invalid"))
        uuid = next((one for one in _UUID.findall(error.context) if one in places), "")
        text = _UUID.sub(lambda match: places.get(match[0], match[0]), error.context)
        severity = "error" if error.is_error else "warning"
        yield Issue(code, text, _place(error.context, places.get(uuid, "")), str(error.code), severity)


def _place(context: str, resource: str) -> str:
    """The element of the attribute that the context names."""
    match = _ATTRIBUTE.search(context)
    name = (match[1] or match[2]) if match is not None else ""
    elements = ELEMENTS if context.startswith("DocumentEntry") else LIST_ELEMENTS
    return f"{resource}.{elements[name]}" if resource and name in elements else resource


def told(errors: Iterable[RegistryError]) -> Iterator[RegistryError]:
    """The errors as FHIR knows them: XDS has no code for a token about somebody else but that of every failure."""
    for error in errors:
        yield replace(error, code=ErrorCode.LOCAL_POLICY_RESTRICTION) if is_of_other_patient(error) else error


def is_passing(errors: Iterable[RegistryError]) -> bool:
    """Whether another try may succeed."""
    return any(XDS_ERRORS.get(error.code, (400, ""))[0] == 503 for error in told(errors))


def rejected(errors: Iterable[RegistryError], places: Mapping[str, str]) -> FhirProblem:
    """What refuses a Bundle that XDS refuses: 400, or 503 where another try may succeed."""
    found = tuple(errors)
    return refusal(issues_of(found, places), 503 if is_passing(found) else 400)
