"""The answers: RegistryResponse, AdhocQueryResponse, RetrieveDocumentSetResponse as bytes. ITI TF-3: 4.2.4."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from xds.errors import ErrorCode, RegistryError
from xds.vocabulary import QUERY, RIM, RS, XDS_B, ResponseStatus, Severity

# A small message of many broken objects must not be answered by a huge one.
MOST_ERRORS = 10_000
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentResponse:
    """One delivered document; `content_id` names the MIME part with its octets. ITI TF-2: 3.43.4.2.2

    The new identifiers are those of a document made on demand; the repository's only when it was kept there.
    """

    repository_unique_id: str
    document_unique_id: str
    mime_type: str
    content_id: str
    home_community_id: str | None = None
    new_repository_unique_id: str | None = None
    new_document_unique_id: str | None = None


def registry_response(errors: Sequence[RegistryError] = (), *, status: ResponseStatus | None = None) -> bytes:
    """`rs:RegistryResponse`; without a status, Failure when there is an error of severity Error."""
    status = status or _status(errors)
    return _element("rs:RegistryResponse", f'xmlns:rs="{RS}" status="{status}"', _error_list(errors))


def adhoc_query_response(
    objects: Iterable[bytes], errors: Sequence[RegistryError] = (), *, status: ResponseStatus | None = None
) -> bytes:
    """`query:AdhocQueryResponse` around fragments with the prefix `rim:`. ITI TF-2: 3.18.4.1.3

    No answer is a page, so it starts at 0 and tells how many it brings. DMP W17
    """
    status, fragments = status or _status(errors), tuple(objects)
    namespaces = f'xmlns:query="{QUERY}" xmlns:rs="{RS}" xmlns:rim="{RIM}"'
    attributes = f'{namespaces} status="{status}" startIndex="0" totalResultCount="{len(fragments)}"'
    inside = (_error_list(errors), b"<rim:RegistryObjectList>", *fragments, b"</rim:RegistryObjectList>")
    return _element("query:AdhocQueryResponse", attributes, *inside)


def retrieve_document_set_response(
    documents: Sequence[DocumentResponse], errors: Sequence[RegistryError], *, status: ResponseStatus
) -> bytes:
    """`xds:RetrieveDocumentSetResponse` with an XOP include per document. ITI TF-2: 3.43.4.2.2"""
    response = registry_response(errors, status=status)
    parts = b"".join(_document_response(document) for document in documents)
    return _element("xds:RetrieveDocumentSetResponse", f'xmlns:xds="{XDS_B}"', response, parts)


def _status(errors: Sequence[RegistryError]) -> ResponseStatus:
    return ResponseStatus.FAILURE if any(error.is_error for error in errors) else ResponseStatus.SUCCESS


def _element(name: str, attributes: str, *inside: bytes) -> bytes:
    """Joined once: what is inside may be large."""
    return b"".join((f"<{name} {attributes}>".encode(), *inside, f"</{name}>".encode()))


def _error_list(errors: Sequence[RegistryError]) -> bytes:
    if not errors:
        return b""
    highest = Severity.ERROR if any(error.is_error for error in errors) else Severity.WARNING
    body = b"".join(_error(error) for error in errors[:MOST_ERRORS])
    if len(errors) > MOST_ERRORS:
        context = f"and {len(errors) - MOST_ERRORS} more errors, which are not listed"
        body += _error(RegistryError(code=ErrorCode.REGISTRY, context=context, severity=highest))
    return _element("rs:RegistryErrorList", f'highestSeverity="{highest}"', body)


def _error(error: RegistryError) -> bytes:
    location = f" location={quoteattr(_printable(error.location))}" if error.location else ""
    context = quoteattr(_printable(error.context))
    return (
        f'<rs:RegistryError codeContext={context} errorCode="{error.code}"{location} severity="{error.severity}"/>'
    ).encode()


def _printable(text: str) -> str:
    """Text that XML 1.0 can carry: other characters become U+FFFD."""
    return _NOT_XML.sub("\ufffd", text)


def _document_response(document: DocumentResponse) -> bytes:
    home = _optional("HomeCommunityId", document.home_community_id)
    new = _optional("NewRepositoryUniqueId", document.new_repository_unique_id)
    new += _optional("NewDocumentUniqueId", document.new_document_unique_id)
    include = f'<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:{document.content_id}"/>'
    return (
        f"<xds:DocumentResponse>{home}{_simple('RepositoryUniqueId', document.repository_unique_id)}"
        f"{_simple('DocumentUniqueId', document.document_unique_id)}{new}{_simple('mimeType', document.mime_type)}"
        f"<xds:Document>{include}</xds:Document></xds:DocumentResponse>"
    ).encode()


def _optional(name: str, text: str | None) -> str:
    return _simple(name, text) if text else ""


def _simple(name: str, text: str) -> str:
    escaped = _printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<xds:{name}>{escaped}</xds:{name}>"
