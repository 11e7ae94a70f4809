"""Retrieved documents: count, echo, metadata, octets."""

import base64
import hashlib

import pytest

from conformance.nist.registry_objects import DOCUMENT_ENTRY, RegistryObject
from conformance.nist.retrieved_documents import check_against_metadata, check_octets, check_retrieved
from conformance.nist.soap_client import Answer
from tests.conformance.kits import element

DEFAULTS = {"repository": "1.9", "id": "1.2", "mime": "text/plain", "content": b"abc"}


def document(**changes: object) -> str:
    values = {**DEFAULTS, **changes}
    content = values["content"]
    inline = "" if content is None else f"<x:Document>{base64.b64encode(content).decode()}</x:Document>"  # type: ignore[arg-type]
    return (
        f"<x:DocumentResponse><x:RepositoryUniqueId>{values['repository']}</x:RepositoryUniqueId>"
        f"<x:DocumentUniqueId>{values['id']}</x:DocumentUniqueId><x:mimeType>{values['mime']}</x:mimeType>{inline}"
        "</x:DocumentResponse>"
    )


def answer(*documents: str) -> Answer:
    payload = element(f"<x:RetrieveDocumentSetResponse>{''.join(documents)}</x:RetrieveDocumentSetResponse>")
    return Answer(action="", relates_to="", is_mtom=True, header=None, payload=payload, is_fault=False)


REQUEST = element(
    "<x:RetrieveDocumentSetRequest><x:DocumentRequest><x:RepositoryUniqueId>1.9</x:RepositoryUniqueId>"
    "<x:DocumentUniqueId>1.2</x:DocumentUniqueId></x:DocumentRequest></x:RetrieveDocumentSetRequest>"
)


def test_the_document_asked_for_passes() -> None:
    assert list(check_retrieved(REQUEST, answer(document()), expects_success=True, mime_type="text/plain")) == []


def test_fewer_documents_are_right_when_success_is_not_expected() -> None:
    assert list(check_retrieved(REQUEST, answer(), expects_success=False)) == []
    assert list(check_retrieved(REQUEST, answer(), expects_success=True))


@pytest.mark.parametrize("change", [{"repository": "1.8"}, {"id": "1.3"}, {"content": None}, {"mime": ""}])
def test_what_was_not_asked_for_or_is_incomplete_fails(change: dict[str, object]) -> None:
    assert list(check_retrieved(REQUEST, answer(document(**change)), expects_success=True))


def test_an_expected_mime_type_is_demanded() -> None:
    assert list(check_retrieved(REQUEST, answer(document()), expects_success=True, mime_type="text/xml"))


def entry(**changes: str) -> RegistryObject:
    values = {
        "id": "1.2",
        "mime": "text/plain",
        "hash": hashlib.sha1(b"abc").hexdigest().upper(),
        "size": "3",
        **changes,
    }
    slots = "".join(
        f'<r:Slot name="{name}"><r:ValueList><r:Value>{values[name]}</r:Value></r:ValueList></r:Slot>'
        for name in ("hash", "size")
    )
    identifier = f'<r:ExternalIdentifier identificationScheme="urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab" value="{values["id"]}"/>'
    written = f'<r:ExtrinsicObject mimeType="{values["mime"]}">{slots}{identifier}</r:ExtrinsicObject>'
    return RegistryObject(kind=DOCUMENT_ENTRY, element=element(written))


def test_mime_type_hash_and_size_are_those_of_the_metadata() -> None:
    assert list(check_against_metadata(answer(document()), [entry()])) == []


@pytest.mark.parametrize("change", [{"mime": "text/xml"}, {"hash": "0" * 40}, {"size": "4"}, {"id": "1.7"}])
def test_each_difference_from_the_metadata_is_named(change: dict[str, str]) -> None:
    (finding,) = check_against_metadata(answer(document()), [entry(**change)])
    assert "1.2" in finding.reason


def test_octets_are_those_submitted() -> None:
    assert list(check_octets(answer(document()), {"1.2": b"abc"})) == []
    assert list(check_octets(answer(document()), {})) == []
    (finding,) = check_octets(answer(document()), {"1.2": b"abd"})
    assert "first difference at octet 2" in finding.found
    (longer,) = check_octets(answer(document()), {"1.2": b"abcd"})
    assert "at octet 3" in longer.found
