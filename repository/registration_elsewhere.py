"""Registration by a registry in another process: three steps, each of which may be the last before a crash.

1. One unit of work keeps the documents as awaited. 2. The registry is told [ITI-42]. 3. One unit of work settles: the
documents are held, or given up when the registry refused them. An answer that does not come is asked for again; what
stays unknown stays awaited, is read when the registry says that it has it, and is settled later.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NoReturn

from access_policy.caller import Caller
from repository import awaited as awaiting
from repository import document_versions, index
from repository.awaited import Attempt, Awaited
from repository.index import StoredDocument
from repository.registration import Entered, RegistrationUnknown, RegistryNotAvailable, needless, other_octets
from storage.unit_of_work import StorageFailed, UnitOfWork, Units
from xds.affinity_domain import AffinityDomain
from xds.ebrim.attributes import SubmissionKind
from xds.ebrim.read import Reading
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.identifiers import is_symbolic, new_uuid_urn
from xds.metadata import Submission, SubmissionSet
from xds.submission_rules import object_rules, reference_rules

# Seconds before each attempt to get an answer from the registry.
_PAUSES = (0.0, 0.2, 1.0)
# A registry may still work on a request that is younger, whatever grace was asked for.
_UNDER_WAY_SECONDS = 3600
# What a registry says that failed, perhaps after its commit.
_DOUBTFUL = {ErrorCode.REGISTRY, ErrorCode.REGISTRY_BUSY, ErrorCode.REGISTRY_OUT_OF_RESOURCES}
AskElsewhere = Callable[[Reading, Caller], Sequence[RegistryError]]
# entryUUID and uniqueId of a SubmissionSet -> (uniqueId, SHA-1) of its documents; None: the registry has no such one.
DocumentsOf = Callable[[str, str], frozenset[tuple[str, str]] | None]


class AnswerLost(Exception):
    """A request to the registry that was under way and got no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Attempts that were looked at: found registered, given up, not known yet."""

    registered: int = 0
    given_up: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """`Registration` by another process.

    `register` is Register Document Set-b [ITI-42] over the network; it returns warnings and raises Rejected,
    RegistryNotAvailable and AnswerLost. `check` gives everything that is wrong with a submission, which is not
    registered; it and `documents_of` raise RegistryNotAvailable. `on_unsettled` is told the uniqueId of a submission
    whose last step failed.
    """

    units: Units
    register: AskElsewhere
    check: AskElsewhere
    documents_of: DocumentsOf
    domain: AffinityDomain
    on_unsettled: Callable[[str, Exception], None]
    kind: SubmissionKind = SubmissionKind.PROVIDE
    pause: Callable[[float], None] = time.sleep

    def enter(self, reading: Reading, documents: Mapping[str, StoredDocument], caller: Caller) -> Entered:
        """The three steps. A refused submission leaves nothing behind; one without an answer stays awaited."""
        owner = reading.submission.submission_set
        if reading.errors or owner is None:
            raise Rejected(self.findings(reading, caller))
        known_as = _uuid_of(owner, reading.submission)
        attempt = Attempt(id=str(uuid.uuid4()), submission=known_as, submission_unique_id=owner.unique_id or "")
        try:
            unused = self.units.write(lambda unit: _begun(unit, attempt, documents))
        except Rejected as rejected:
            raise Rejected(self.findings(reading, caller) or rejected.errors) from None
        try:
            warnings = self._registered(_renamed(reading, owner, known_as), attempt, documents, caller)
        except Rejected as rejected:
            self._finish(attempt, self._give_up)
            raise Rejected(_in_words_of_sender(rejected.errors, owner, known_as)) from None
        except RegistryNotAvailable:
            self._finish(attempt, self._give_up)
            raise
        unused += tuple(self._finish(attempt, self._settle))
        return Entered(warnings=tuple(_in_words_of_sender(warnings, owner, known_as)), unused=unused)

    def findings(self, reading: Reading, caller: Caller) -> tuple[RegistryError, ...]:
        """What the registry would say; without it, what can be told: it cannot be shown what cannot be read."""
        if not reading.errors and reading.submission.submission_set is not None:
            with suppress(RegistryNotAvailable):
                return tuple(self.check(reading, caller))
        return (
            *reading.errors,
            *object_rules(reading.submission, self.kind, self.domain, reading.unreadable),
            *reference_rules(reading.submission, self.domain),
        )

    def registered(self, awaited: Sequence[Awaited]) -> dict[str, StoredDocument]:
        """Raises RegistryNotAvailable."""
        return {
            one.document.unique_id: one.document
            for attempt, documents in _by_attempt(awaited)
            if self._has(attempt, [one.document for one in documents])
            for one in documents
        }

    def settle(self, awaited: Sequence[Awaited]) -> None:
        """Raises RegistryNotAvailable, StorageFailed."""
        for attempt in {one.attempt for one in awaited}:
            if self._has(attempt, self._documents(attempt)):
                self._write(attempt, self._settle)

    def settle_all(self, *, before: float) -> Settled:
        """Settle every attempt; give those up that began before that time (seconds since 1970) and are not registered.

        Raises RegistryNotAvailable, StorageFailed.
        """
        with self.units.read() as connection:
            found = awaiting.all_of(connection)
        settled = Settled()
        for attempt, documents in _by_attempt(found):
            if self._has(attempt, [one.document for one in documents]):
                self._write(attempt, self._settle)
                settled = replace(settled, registered=settled.registered + 1)
            elif documents[0].begun < min(before, time.time() - _UNDER_WAY_SECONDS):
                self._write(attempt, self._give_up)
                settled = replace(settled, given_up=settled.given_up + 1)
            else:
                settled = replace(settled, unknown=settled.unknown + 1)
        return settled

    def _registered(
        self, reading: Reading, attempt: Attempt, documents: Mapping[str, StoredDocument], caller: Caller
    ) -> Sequence[RegistryError]:
        """Ask until there is an answer.

        A repeated request that is refused may have been taken the first time; a registry that failed may have failed
        after it had taken it.
        """
        is_lost = False
        for seconds in _PAUSES:
            self.pause(seconds)
            try:
                return self.register(reading, caller)
            except AnswerLost:
                is_lost = True
            except RegistryNotAvailable:
                if not is_lost:
                    raise
            except Rejected as rejected:
                is_doubtful = is_lost or any(one.code in _DOUBTFUL for one in rejected.errors)
                if not is_doubtful or not self._had(attempt, documents):
                    raise
                return ()
        _unknown(attempt)

    def _had(self, attempt: Attempt, documents: Mapping[str, StoredDocument]) -> bool:
        try:
            return self._has(attempt, documents.values())
        except RegistryNotAvailable:
            _unknown(attempt)

    def _has(self, attempt: Attempt, documents: Iterable[StoredDocument]) -> bool:
        """Whether the registry has this very submission, with these documents."""
        held = self.documents_of(attempt.submission, attempt.submission_unique_id)
        return held is not None and {(one.unique_id, one.sha1) for one in documents} <= held

    def _documents(self, attempt: Attempt) -> list[StoredDocument]:
        with self.units.read() as connection:
            return [one.document for one in awaiting.of(connection, attempt)]

    def _finish(self, attempt: Attempt, step: Callable[[UnitOfWork, Attempt], list[str]]) -> list[str]:
        """The last step. One that fails changes no answer: what stays awaited is settled later."""
        try:
            return self._write(attempt, step)
        except StorageFailed as problem:
            self.on_unsettled(attempt.submission_unique_id, problem)
            return []

    def _write(self, attempt: Attempt, step: Callable[[UnitOfWork, Attempt], list[str]]) -> list[str]:
        return self.units.write(lambda unit: step(unit, attempt))

    def _settle(self, unit: UnitOfWork, attempt: Attempt) -> list[str]:
        return awaiting.settle(unit.connection, attempt)

    def _give_up(self, unit: UnitOfWork, attempt: Attempt) -> list[str]:
        return awaiting.give_up(unit.connection, attempt)


def _uuid_of(owner: SubmissionSet, submission: Submission) -> str:
    """The entryUUID under which the registry will know a SubmissionSet: one that nobody else has, where it is symbolic.

    An id that several objects have is left for the registry to refuse.
    """
    is_shared = sum(thing.entry_uuid == owner.entry_uuid for thing in submission.objects) > 1
    return new_uuid_urn() if is_symbolic(owner.entry_uuid) and not is_shared else owner.entry_uuid


def _renamed(reading: Reading, owner: SubmissionSet, entry_uuid: str) -> Reading:
    """The same with this entryUUID of its SubmissionSet."""

    def end(identifier: str) -> str:
        return entry_uuid if identifier == owner.entry_uuid else identifier

    associations = (
        replace(one, source=end(one.source), target=end(one.target)) for one in reading.submission.associations
    )
    renamed = replace(
        reading.submission,
        submission_set=replace(owner, entry_uuid=entry_uuid),
        associations=tuple(associations),
    )
    return replace(reading, submission=renamed)


def _in_words_of_sender(
    errors: Iterable[RegistryError], owner: SubmissionSet, entry_uuid: str
) -> Iterator[RegistryError]:
    """Errors that name the SubmissionSet as it was sent."""
    for error in errors:
        yield replace(error, context=error.context.replace(entry_uuid, owner.entry_uuid))


def _begun(unit: UnitOfWork, attempt: Attempt, documents: Mapping[str, StoredDocument]) -> tuple[str, ...]:
    """Keep what is not held yet; returns keys of blobs that are not needed. Raises Rejected for other octets."""
    wanted = {one.unique_id for one in documents.values()}
    known = index.held(unit.connection, wanted)
    twins = [one.document for one in awaiting.among(unit.connection, wanted) if _is_twin(one.document, documents)]
    errors = (
        *other_octets(documents, [*known.values(), *twins]),
        *document_versions.repetitions(unit.connection, documents, known),
    )
    if errors:
        raise Rejected(errors)
    new = {one.unique_id: one for one in documents.values() if one.unique_id not in known}
    awaiting.begin(unit.connection, attempt, list(new.values()))
    return needless(documents, known)


def _is_twin(one: StoredDocument, documents: Mapping[str, StoredDocument]) -> bool:
    """What a registry cannot tell apart: it compares SHA-1 and size."""
    return (one.unique_id, one.sha1, one.size) in {(new.unique_id, new.sha1, new.size) for new in documents.values()}


def _by_attempt(awaited: Sequence[Awaited]) -> list[tuple[Attempt, list[Awaited]]]:
    ordered = sorted(awaited, key=lambda one: one.attempt.id)
    return [(attempt, list(group)) for attempt, group in groupby(ordered, key=lambda one: one.attempt)]


def _unknown(attempt: Attempt) -> NoReturn:
    raise RegistrationUnknown(attempt.submission_unique_id)
