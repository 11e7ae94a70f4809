"""Retrieved documents: as many as asked for, each echoing its request, with the metadata and octets of its own."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lxml import etree

from conformance.nist.findings import Finding
from conformance.nist.mtom import octets_of_base64
from conformance.nist.registry_objects import RegistryObject
from conformance.nist.soap_client import Answer
from conformance.nist.vocabulary import XDS_B
from conformance.nist.xml import text_of
from conformance.sentence import Sentence, joined

_CHECK = "retrieve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """One DocumentResponse; `content` None when it has none, or no base64."""

    repository: str
    unique_id: str
    mime_type: str
    content: bytes | None


def read_retrieved(payload: etree._Element) -> list[Retrieved]:
    return [
        Retrieved(
            repository=_child(one, "RepositoryUniqueId"),
            unique_id=_child(one, "DocumentUniqueId"),
            mime_type=_child(one, "mimeType"),
            content=octets_of_base64(_child(one, "Document")) if one.find(f"{{{XDS_B}}}Document") is not None else None,
        )
        for one in payload.iterfind(f"{{{XDS_B}}}DocumentResponse")
    ]


def _child(parent: etree._Element, name: str) -> str:
    found = parent.find(f"{{{XDS_B}}}{name}")
    return "" if found is None else text_of(found)


def check_retrieved(
    request: etree._Element, answer: Answer, *, expects_success: bool, mime_type: str = ""
) -> Iterator[Finding]:
    """Count, echo, content; `mime_type` is demanded of every document when given."""
    asked = [
        (_child(one, "RepositoryUniqueId"), _child(one, "DocumentUniqueId"))
        for one in request.iterfind(f"{{{XDS_B}}}DocumentRequest")
    ]
    found = read_retrieved(answer.payload)
    if expects_success and len(found) != len(asked):
        reason = Sentence("nombre de documents inattendu", "wrong number of documents")
        yield Finding(check=_CHECK, reason=reason, expected=str(len(asked)), found=str(len(found)))
    for one in found:
        if (one.repository, one.unique_id) not in asked:
            yield _about(one, f"({one.repository}) n'a pas été demandé", f"of {one.repository} was not asked for")
        if one.content is None:
            yield _about(one, "n'a pas de contenu", "has no content")
        if not one.mime_type or (mime_type and one.mime_type != mime_type):
            yield _differs(one, "mimeType", mime_type, one.mime_type)


def _about(one: Retrieved, fr: str, en: str) -> Finding:
    return Finding(check=_CHECK, reason=Sentence(f"document {one.unique_id} {fr}", f"document {one.unique_id} {en}"))


def _differs(one: Retrieved, name: str, expected: str, found: str) -> Finding:
    reason = Sentence(name, name).about(f"document {one.unique_id}")
    return Finding(check=_CHECK, reason=reason, expected=expected, found=found)


def check_against_metadata(answer: Answer, entries: Sequence[RegistryObject]) -> Iterator[Finding]:
    """mimeType, hash and size as the registry returned them before; entries are matched by uniqueId."""
    by_id = {entry.unique_id: entry for entry in entries}
    for one in read_retrieved(answer.payload):
        entry = by_id.get(one.unique_id)
        if entry is None:
            yield _about(one, "n'est pas dans les métadonnées de référence", "is not in the referred metadata")
            continue
        content = one.content or b""
        compared = (
            ("mimeType", entry.element.get("mimeType", ""), one.mime_type),
            ("hash", (entry.slot("hash") or [""])[0].lower(), hashlib.sha1(content).hexdigest()),
            ("size", (entry.slot("size") or [""])[0], str(len(content))),
        )
        for name, expected, found in compared:
            if expected != found:
                yield _differs(one, name, expected, found)


def check_octets(answer: Answer, documents: Mapping[str, bytes]) -> Iterator[Finding]:
    """Retrieved octets are those submitted under the same uniqueId."""
    for one in read_retrieved(answer.payload):
        submitted = documents.get(one.unique_id)
        if submitted is not None and one.content is not None and one.content != submitted:
            place = _first_difference(submitted, one.content)
            where = Sentence(f"première différence à l'octet {place}", f"first difference at octet {place}")
            reason = Sentence("n'est pas celui qui a été déposé", "is not what was submitted")
            yield replace(
                _about(one, reason.fr, reason.en),
                check="octets",
                expected=_shown(submitted),
                found=joined((_shown(one.content), where)),
            )


def _shown(content: bytes) -> str:
    return f"{len(content)} octets, SHA-1 {hashlib.sha1(content).hexdigest()}"


def _first_difference(one: bytes, other: bytes) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (left, right) in pairs if left != right), min(len(one), len(other)))
