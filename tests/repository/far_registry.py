"""A registry in another process, played: what becomes of each request is a script. And a repository that asks it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from access_policy.caller import OPEN_CALLER, Caller
from access_policy.trust import Trust
from carnet.domains import affinity_domain
from carnet.settings import Settings
from repository import iti41_provide_and_register_document_set_b as iti41
from repository.blob_store import BlobStore
from repository.registration import RegistryNotAvailable
from repository.registration_elsewhere import AnswerLost, Elsewhere
from repository.store import Repository
from repository.submission_signature import Demand, SignatureRules
from storage.unit_of_work import Units
from tests.builders import REPOSITORY, a_submission, a_submission_set, an_entry
from xds.ebrim.read import Reading
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.metadata import DocumentEntry, Submission

Step = Callable[["FarRegistry", Reading], Sequence[RegistryError]]


@dataclass
class FarRegistry:
    """A registry that keeps submissions by uniqueId, and does to each request what the next step says."""

    steps: list[Step] = field(default_factory=list)
    submissions: dict[str, Submission] = field(default_factory=dict)
    is_away: bool = False
    asked: int = 0

    def register(self, reading: Reading, _caller: Caller) -> Sequence[RegistryError]:
        self.asked += 1
        return (self.steps.pop(0) if self.steps else takes)(self, reading)

    def check(self, _reading: Reading, _caller: Caller) -> Sequence[RegistryError]:
        self._answer()
        return ()

    def documents_of(self, submission: str, unique_id: str) -> frozenset[tuple[str, str]] | None:
        self._answer()
        found = self.submissions.get(unique_id)
        if found is None or found.submission_set is None or found.submission_set.entry_uuid != submission:
            return None
        return frozenset((str(one.unique_id), str(one.hash)) for one in found.document_entries)

    def readable(self, _caller: Caller, unique_ids: Collection[str]) -> frozenset[str]:
        self._answer()
        known = {one.unique_id for each in self.submissions.values() for one in each.document_entries}
        return frozenset(unique_ids) & known

    def _answer(self) -> None:
        if self.is_away:
            raise RegistryNotAvailable("away")


def takes(registry: FarRegistry, reading: Reading) -> Sequence[RegistryError]:
    owner = reading.submission.submission_set
    assert owner is not None
    if owner.unique_id in registry.submissions:
        code, context = ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY, f"{owner.entry_uuid} uniqueId {owner.unique_id}"
        raise Rejected([RegistryError(code=code, context=context)])
    registry.submissions[str(owner.unique_id)] = reading.submission
    return ()


def takes_without_answer(registry: FarRegistry, reading: Reading) -> Sequence[RegistryError]:
    takes(registry, reading)
    raise AnswerLost


def loses_the_request(_registry: FarRegistry, _reading: Reading) -> Sequence[RegistryError]:
    raise AnswerLost


def takes_and_goes(registry: FarRegistry, reading: Reading) -> Sequence[RegistryError]:
    takes(registry, reading)
    registry.is_away = True
    registry.steps += [not_there, not_there]
    raise AnswerLost


def takes_and_fails(registry: FarRegistry, reading: Reading) -> Sequence[RegistryError]:
    takes(registry, reading)
    raise Rejected([RegistryError(code=ErrorCode.REGISTRY, context="the database cannot be used now")])


def refuses(_registry: FarRegistry, reading: Reading) -> Sequence[RegistryError]:
    owner = reading.submission.submission_set
    assert owner is not None
    codes = (ErrorCode.UNKNOWN_PATIENT_ID, ErrorCode.REGISTRY_METADATA)
    raise Rejected(RegistryError(code=code, context=f"SubmissionSet {owner.entry_uuid}") for code in codes)


def not_there(_registry: FarRegistry, _reading: Reading) -> Sequence[RegistryError]:
    raise RegistryNotAvailable("connection refused")


def an_elsewhere(units: Units, far: FarRegistry, *, kind: type[Elsewhere] = Elsewhere, **changes: Any) -> Elsewhere:
    defaults: dict[str, Any] = {
        "units": units,
        "register": far.register,
        "check": far.check,
        "documents_of": far.documents_of,
        "domain": affinity_domain(Settings()),
        "on_unsettled": lambda _unique_id, _problem: None,
        "pause": lambda _seconds: None,
    }
    return kind(**(defaults | changes))


def a_repository(units: Units, store: BlobStore, registration: Elsewhere, far: FarRegistry) -> Repository:
    """One that fails its test when a blob cannot be deleted or is damaged."""
    return Repository(
        unique_id=REPOSITORY,
        units=units,
        blobs=store,
        registration=registration,
        readable=far.readable,
        removable=lambda _caller, unique_ids: frozenset(unique_ids),
        now=lambda: "20260310100000",
        on_leftover=lambda key, problem: pytest.fail(f"{key}: {problem}"),
        on_damage=lambda key: pytest.fail(key),
        signatures=SignatureRules(demand=Demand.IGNORED, trust=lambda: Trust(()), now=lambda: datetime.now(UTC)),
    )


def provide(
    repository: Repository, content: bytes = b"<a/>", *, submission: str = "2.25.1", **changes: object
) -> DocumentEntry:
    """Provide and Register of one document; raises what the transaction raises."""
    entry = an_entry(**({"content": content, "unique_id": f"{submission}.1"} | changes))
    owner = a_submission_set(unique_id=submission)
    blob = repository.blobs.receive()
    blob.write(content)
    blob.finish()
    try:
        received = iti41.Received(blobs={entry.entry_uuid: blob})
        iti41.handle(repository, Reading(submission=a_submission(entry, submission_set=owner)), received, OPEN_CALLER)
    finally:
        blob.discard()
    return entry


def delivered(repository: Repository, unique_id: str) -> bytes | None:
    found = repository.held(OPEN_CALLER, {unique_id}).get(unique_id)
    return None if found is None else b"".join(repository.octets(found))
