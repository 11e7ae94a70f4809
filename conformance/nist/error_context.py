"""codeContext names the offending value: for the codes where the standard says which value that is. ITI TF-3: 4.2.4"""

from collections.abc import Callable, Iterator

from lxml import etree

from conformance.nist.findings import Finding
from conformance.nist.registry_objects import read_registry_objects
from conformance.nist.registry_response import ReturnedError
from conformance.nist.vocabulary import PATIENT_ID_SCHEMES, RIM, UUID_PREFIX, XDS_B
from conformance.nist.xml import text_of
from conformance.sentence import NOTHING, Sentence, joined

Values = Iterator[str]


def _patient_ids(request: etree._Element) -> Values:
    for one in request.iter(f"{{{RIM}}}ExternalIdentifier"):
        if one.get("identificationScheme") in PATIENT_ID_SCHEMES:
            yield one.get("value", "").partition("^")[0]


def _unique_ids(request: etree._Element) -> Values:
    yield from (one.unique_id for one in read_registry_objects(request).objects if one.unique_id)


def _uuids(request: etree._Element) -> Values:
    for element in request.iter("*"):
        yield from (
            str(value) for value in element.attrib.values() if str(value).startswith(UUID_PREFIX) or "$" in str(value)
        )


def _document_ids(request: etree._Element) -> Values:
    yield from (text_of(one) for one in request.iter(f"{{{XDS_B}}}DocumentUniqueId", f"{{{XDS_B}}}RepositoryUniqueId"))


_NAMED: dict[str, Callable[[etree._Element], Values]] = {
    "XDSUnknownPatientId": _patient_ids,
    "XDSPatientIdDoesNotMatch": _patient_ids,
    "XDSNonIdenticalHash": _unique_ids,
    "XDSNonIdenticalSize": _unique_ids,
    "XDSDuplicateUniqueIdInRegistry": _unique_ids,
    "XDSRegistryDuplicateUniqueIdInMessage": _unique_ids,
    "XDSRepositoryDuplicateUniqueIdInMessage": _unique_ids,
    "UnresolvedReferenceException": _uuids,
    "ReferencesExistException": _uuids,
    "XDSDocumentUniqueIdError": _document_ids,
    "XDSUnknownRepositoryId": _document_ids,
}


def check_context(request: etree._Element, errors: tuple[ReturnedError, ...]) -> Iterator[Finding]:
    """A remark for each error whose codeContext and location name no value of the request of the right kind."""
    for error in errors:
        named = _NAMED.get(error.code or "")
        values = [] if named is None else [value for value in named(request) if value]
        text = f"{error.context} {error.location}"
        if values and not any(value in text for value in values):
            yield Finding(
                check="context",
                reason=Sentence(
                    f"le codeContext de {error.code} ne nomme pas la valeur",
                    f"codeContext of {error.code} does not name the value",
                ),
                expected=joined(dict.fromkeys(values[:4]), Sentence(" ou ", " or ")),
                found=error.context or NOTHING,
                is_remark=True,
            )
