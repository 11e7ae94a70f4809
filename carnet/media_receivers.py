"""Where an import puts what it reads: the stores of this machine, or a server under a URL."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from access_policy.caller import Caller
from access_policy.visibility import EVERYTHING
from audit.objects import a_document
from audit.occurrence import Occurrence
from carnet.proof import NO_PROOF, Proof
from carnet.wiring import Actors
from carnet.xds_answers import Answer, read_answer
from carnet.xds_client import XdsClient, provide_request
from portable_media.importer import OutgoingDocument
from registry import iti57_update_document_set as iti57
from registry.criteria import Criteria
from repository import iti41_provide_and_register_document_set_b as iti41
from soap.mtom import MtomPart
from storage.unit_of_work import UnitOfWork
from xds.ebrim.read import read_document_entries
from xds.ebrim.response import adhoc_query_response
from xds.ebrim.write import write_submit_objects_request
from xds.errors import RegistryError, Rejected
from xds.metadata import DocumentEntry, RegistryObject, Submission
from xds.vocabulary import AvailabilityStatus
from xds.xml import parse

OPERATOR = Caller(name="operator", is_open=True)
_ASKED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class _Part:
    """`iti41.Part` around octets of a medium."""

    content_id: str
    chunks: Iterator[bytes]

    def __iter__(self) -> Iterator[bytes]:
        return self.chunks


class LocalReceiver:
    """`portable_media.importer.Receiver` on open actors: the same transactions, without a server between."""

    def __init__(self, actors: Actors) -> None:
        self._registry, self._repository = actors.together()
        self._takes_status = actors.settings.domain == "dmp"

    def held(self, unique_ids: Sequence[str]) -> Mapping[str, tuple[DocumentEntry, ...]]:
        """Entries whose documents this repository keeps."""
        entries: list[DocumentEntry] = []
        for group in _groups(unique_ids):
            kept = self._repository.held(OPERATOR, group)
            criteria = Criteria(unique_ids=tuple(kept))
            found = self._registry.find(criteria, EVERYTHING) if kept else ()
            entries += read_document_entries(parse(adhoc_query_response(one.rendering for one in found)))
        return _by_unique_id(entries)

    def provide(self, submission: Submission, documents: Sequence[OutgoingDocument]) -> tuple[RegistryError, ...]:
        """Provide and Register [ITI-41]."""
        parts = _mtom_parts(documents)
        body = parse(provide_request(submission, parts))
        incoming = [_Part(part.content_id, iter(part.chunks)) for part in parts.values()]
        return _errors(read_answer(parse(iti41.soap(self._repository, body, incoming, OPERATOR))))

    def update(self, submission: Submission) -> tuple[RegistryError, ...]:
        """Update Document Set [ITI-57]."""
        body = parse(write_submit_objects_request(submission.objects))
        return _errors(read_answer(parse(iti57.soap(self._registry, body, OPERATOR))))

    def take_status(self, entry_uuid: str, status: AvailabilityStatus) -> bool:
        """The operator of the machine gives the status, in the domain that has it; recorded like every change."""
        registry = self._registry

        def give(unit: UnitOfWork) -> bool:
            stored = registry.held(unit, {entry_uuid})[entry_uuid]
            registry.rewrite(unit, stored, replace(stored.thing, availability_status=status))
            registry.recorder.record(unit, [_status_taken(stored.thing)], OPERATOR)
            return True

        return self._takes_status and registry.units.write(give)


class RemoteReceiver:
    """`portable_media.importer.Receiver` on the server of a URL, and that of its registry where it is another."""

    def __init__(self, url: str, *, registry: str = "", proof: Proof = NO_PROOF) -> None:
        self._client = XdsClient(url, registry=registry, proof=proof)

    def held(self, unique_ids: Sequence[str]) -> Mapping[str, tuple[DocumentEntry, ...]]:
        """Entries as GetDocuments [ITI-18] gives them. Raises Rejected, ClientError."""
        entries: list[DocumentEntry] = []
        for group in _groups(unique_ids):
            answer = self._client.get_documents(*group)
            if not answer.is_success:
                raise Rejected(answer.errors)
            entries += answer.documents
        return _by_unique_id(entries)

    def provide(self, submission: Submission, documents: Sequence[OutgoingDocument]) -> tuple[RegistryError, ...]:
        """Provide and Register [ITI-41], streamed. Raises ClientError."""
        return _errors(self._client.provide(submission, _mtom_parts(documents)))

    def update(self, submission: Submission) -> tuple[RegistryError, ...]:
        """Update Document Set [ITI-57]. Raises ClientError."""
        return _errors(self._client.update(submission))

    def take_status(self, entry_uuid: str, status: AvailabilityStatus) -> bool:
        """No transaction does it."""
        return False


def _mtom_parts(documents: Sequence[OutgoingDocument]) -> dict[str, MtomPart]:
    return {
        outgoing.document.entry_uuid: MtomPart(
            content_id=f"{uuid.uuid4()}@carnet",
            content_type=outgoing.document.mime_type,
            chunks=outgoing.chunks,
            length=outgoing.document.size,
        )
        for outgoing in documents
    }


def _groups(unique_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(unique_ids), _ASKED_AT_ONCE):
        yield unique_ids[start : start + _ASKED_AT_ONCE]


def _by_unique_id(entries: Sequence[DocumentEntry]) -> dict[str, tuple[DocumentEntry, ...]]:
    found: dict[str, tuple[DocumentEntry, ...]] = {}
    for entry in entries:
        key = entry.unique_id or ""
        found[key] = (*found.get(key, ()), entry)
    return found


def _status_taken(thing: RegistryObject) -> Occurrence:
    """A status given on this machine is an update of the document like another."""
    assert isinstance(thing, DocumentEntry)  # noqa: S101 - a medium gives statuses of documents
    patient = "" if thing.patient_id is None else thing.patient_id.key
    objects = (a_document(thing.unique_id or "", thing.repository_unique_id or ""),)
    return Occurrence(event="ITI-57", patient=patient, objects=objects)


def _errors(answer: Answer) -> tuple[RegistryError, ...]:
    return () if answer.is_success else answer.errors
