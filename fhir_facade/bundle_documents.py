"""The documents of a Provide Document Bundle: octets of Binary entries and FHIR documents. MHD 2:3.65.4.1.2."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from fhir_facade.base64_text import OctetsApart, octets_of
from fhir_facade.bundle_mapping import Mapping65
from fhir_facade.fhir_json import first
from fhir_facade.issues import Issue
from fhir_facade.provide_bundle import BundleEntry, Slice
from repository.blob_store import BlobStore, IncomingBlob
from repository.iti41_provide_and_register_document_set_b import Received

WriteDocument = Callable[[Mapping[str, Any]], bytes]
_SOURCES = (Slice.BINARY, Slice.FHIR_DOCUMENT)


def check_documents(mapping: Mapping65) -> dict[int, str]:
    """Position of each Binary or document Bundle -> entryUUID of the document it is; adds what is wrong.

    R7: the type a DocumentReference gives is that of its Binary.
    """
    by_full_url = mapping.bundle.by_full_url
    found: dict[int, str] = {}
    for entry in mapping.bundle.of(Slice.DOCUMENT_REFERENCE):
        at = f"{entry.at}.content[0].attachment"
        attachment = _attachment(entry)
        source = by_full_url.get(attachment.get("url", ""))
        if source is None or source.slice not in _SOURCES:
            if attachment.get("url") and not attachment["url"].startswith("urn:"):
                sentence = "found a URL outside of the Bundle, expected that of a Binary in it: no URL is fetched"
                mapping.issues.append(Issue("not-supported", sentence, f"{at}.url", "XDSMissingDocument"))
            continue
        if source.number in found:
            mapping.issues.append(Issue("invariant", "found two DocumentReferences of one Binary", f"{at}.url"))
        kind = source.resource.get("contentType")
        if source.slice is Slice.BINARY and kind != attachment.get("contentType", kind):
            sentence = f"found another type than that of the Binary, expected {kind}"
            mapping.issues.append(Issue("invariant", sentence, f"{at}.contentType"))
        found[source.number] = mapping.uuids[entry.number]
    for source in mapping.bundle.of(*_SOURCES):
        if source.number not in found:
            sentence = "found a document that no DocumentReference refers to"
            mapping.issues.append(Issue("invariant", sentence, source.at, "XDSMissingDocumentMetadata"))
        if source.slice is Slice.BINARY and "data" not in source.resource:
            mapping.issues.append(Issue("required", "found a Binary without data", f"{source.at}.data"))
    return found


def _attachment(entry: BundleEntry) -> Mapping[str, Any]:
    content = first(entry.resource.get("content", ()))
    attachment: Mapping[str, Any] = content.get("attachment", {})
    return attachment


@contextmanager
def received(
    blobs: BlobStore, mapping: Mapping65, documents: Mapping[int, str], write_document: WriteDocument
) -> Iterator[Received]:
    """The octets in the blob store, by the entryUUID they belong to; what is not kept in the block is discarded.

    Long ones came with the body, and whoever read that discards them. A FHIR document is kept in the format in which
    it came, which `write_document` writes. MHD 2:3.65.4.1.2.1
    """
    incoming: dict[str, IncomingBlob] = {}
    with ExitStack() as opened:
        for entry in mapping.bundle.of(*_SOURCES):
            data = entry.resource.get("data")
            if isinstance(data, OctetsApart):
                blob = data.blob
            else:
                blob = opened.enter_context(blobs.receive())
                blob.write(_octets(entry, write_document))
                blob.finish()
            incoming[documents[entry.number]] = blob
        yield Received(blobs=incoming)


def _octets(entry: BundleEntry, write_document: WriteDocument) -> bytes:
    if entry.slice is Slice.FHIR_DOCUMENT:
        return write_document(entry.resource)
    return octets_of(entry.resource["data"])
