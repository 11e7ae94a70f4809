"""What the registry renders beside ebRIM: one FHIR resource of every document, SubmissionSet and Folder."""

from collections.abc import Sequence

from fhir_facade.document_list import to_list
from fhir_facade.document_reference import to_document_reference
from xds.metadata import Association, DocumentEntry, Folder, SubmissionSet


def render_fhir(thing: DocumentEntry | SubmissionSet | Folder, links: Sequence[Association], updated: str) -> bytes:
    """The resource as JSON. `links` start from the object; `updated` is a DTM of 14 digits, UTC."""
    if isinstance(thing, DocumentEntry):
        return to_document_reference(thing, links, updated)
    return to_list(thing, links, updated)
