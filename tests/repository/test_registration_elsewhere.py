"""Registration by a registry in another process: whatever becomes of the answer, nothing is lost and nothing dangles."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from access_policy.caller import OPEN_CALLER
from repository import awaited, index
from repository import iti41_provide_and_register_document_set_b as iti41
from repository import iti86_remove_documents as iti86
from repository.blob_store import BlobStore
from repository.collection import collect
from repository.document_request import DocumentRequest
from repository.filesystem_store import FilesystemStore
from repository.registration import RegistrationUnknown, RegistryNotAvailable
from repository.registration_elsewhere import Elsewhere, Settled
from repository.store import Repository
from storage.unit_of_work import StorageFailed, UnitOfWork, Units
from tests.builders import REPOSITORY, a_submission, a_submission_set, an_entry
from tests.repository.far_registry import (
    FarRegistry,
    Step,
    a_repository,
    an_elsewhere,
    delivered,
    loses_the_request,
    not_there,
    provide,
    refuses,
    takes_and_fails,
    takes_and_goes,
    takes_without_answer,
)
from tests.repository.holdings import keys
from xds.ebrim.read import Reading
from xds.errors import ErrorCode, RegistryError, Rejected

DAY = 24 * 3600


@pytest.fixture
def far() -> FarRegistry:
    return FarRegistry()


@pytest.fixture
def store(tmp_path: Path) -> FilesystemStore:
    return FilesystemStore(tmp_path / "documents")


@pytest.fixture
def unsettled() -> list[str]:
    return []


@pytest.fixture
def elsewhere(units: Units, far: FarRegistry, unsettled: list[str]) -> Elsewhere:
    return an_elsewhere(units, far, on_unsettled=lambda unique_id, _problem: unsettled.append(unique_id))


@pytest.fixture
def repository(units: Units, store: BlobStore, elsewhere: Elsewhere, far: FarRegistry) -> Repository:
    return a_repository(units, store, elsewhere, far)


def waiting(units: Units) -> int:
    with units.read() as connection:
        return len(awaited.all_of(connection))


def is_held(units: Units, unique_id: str) -> bool:
    with units.read() as connection:
        return unique_id in index.held(connection, [unique_id])


def test_a_registered_document_is_held(repository: Repository, units: Units, far: FarRegistry) -> None:
    provide(repository, b"<a/>")
    owner = far.submissions["2.25.1"].submission_set
    assert owner is not None
    assert owner.entry_uuid.startswith("urn:uuid:"), "so that it can be asked for"
    assert delivered(repository, "2.25.1.1") == b"<a/>"
    assert (waiting(units), is_held(units, "2.25.1.1")) == (0, True)


def test_what_the_registry_refuses_leaves_nothing_and_every_error_comes_through(
    repository: Repository, units: Units, store: BlobStore, far: FarRegistry
) -> None:
    far.steps = [refuses]
    with pytest.raises(Rejected) as rejected:
        provide(repository)
    assert [one.code for one in rejected.value.errors] == ["XDSUnknownPatientId", "XDSRegistryMetadataError"]
    assert {one.context for one in rejected.value.errors} == {"SubmissionSet SubmissionSet01"}, "as it was sent"
    assert (waiting(units), is_held(units, "2.25.1.1"), keys(store)) == (0, False, set())


def test_a_registry_that_is_not_there_leaves_nothing(
    repository: Repository, units: Units, store: BlobStore, far: FarRegistry
) -> None:
    far.steps = [not_there]
    with pytest.raises(RegistryNotAvailable):
        provide(repository)
    assert (far.asked, waiting(units), keys(store)) == (1, 0, set())


@pytest.mark.parametrize(
    "steps",
    [
        [takes_without_answer],
        [loses_the_request],
        [loses_the_request, takes_without_answer],
        [takes_and_fails],
    ],
    ids=["answer lost", "request lost", "request, then answer lost", "failed after the commit"],
)
def test_a_lost_answer_is_asked_for_again_and_registered_once(
    repository: Repository, units: Units, far: FarRegistry, steps: list[Step]
) -> None:
    far.steps = list(steps)
    provide(repository, b"<a/>")
    assert len(far.submissions) == 1
    assert (delivered(repository, "2.25.1.1"), waiting(units)) == (b"<a/>", 0)


def test_a_refusal_after_a_lost_request_is_a_refusal(repository: Repository, units: Units, far: FarRegistry) -> None:
    far.steps = [loses_the_request, refuses]
    with pytest.raises(Rejected):
        provide(repository)
    assert (waiting(units), far.submissions) == (0, {})


def test_a_duplicate_of_another_submission_is_no_success(
    repository: Repository, units: Units, far: FarRegistry, store: BlobStore
) -> None:
    provide(repository, b"<a/>")
    far.steps = [loses_the_request]
    with pytest.raises(Rejected) as rejected:
        provide(repository, b"<b/>", unique_id="2.25.1.2")
    assert [one.code for one in rejected.value.errors] == ["XDSDuplicateUniqueIdInRegistry"]
    assert (delivered(repository, "2.25.1.2"), waiting(units), len(keys(store))) == (None, 0, 1)


def test_without_any_answer_nothing_is_claimed_and_nothing_lost(
    repository: Repository, units: Units, far: FarRegistry
) -> None:
    far.steps = [takes_and_goes]
    with pytest.raises(RegistrationUnknown) as unknown:
        provide(repository, b"<a/>")
    assert unknown.value.error.code == "XDSRegistryNotAvailable"
    assert "2.25.1:" in unknown.value.error.context
    assert waiting(units) == 1
    with pytest.raises(RegistryNotAvailable):
        delivered(repository, "2.25.1.1")
    far.is_away = False
    assert delivered(repository, "2.25.1.1") == b"<a/>", "the registry names it, so it is there"
    assert waiting(units) == 1, "reading changes nothing"


def test_what_may_not_be_registered_is_not_delivered(repository: Repository, far: FarRegistry) -> None:
    """Another submission registers the same uniqueId elsewhere; what waits here is not taken for it."""
    far.steps = [loses_the_request] * 3
    with pytest.raises(RegistrationUnknown):
        provide(repository, b"<a/>")
    assert delivered(repository, "2.25.1.1") is None
    other = an_entry(content=b"<b/>", unique_id="2.25.1.1")
    far.submissions["2.25.7"] = a_submission(other, submission_set=a_submission_set(unique_id="2.25.7"))
    assert delivered(repository, "2.25.1.1") is None


def test_a_repeated_submission_gets_the_duplicate_error_and_the_first_one_stays(
    repository: Repository, units: Units, elsewhere: Elsewhere, far: FarRegistry, store: BlobStore
) -> None:
    far.steps = [takes_and_goes]
    with pytest.raises(RegistrationUnknown):
        provide(repository, b"<a/>")
    far.is_away, far.steps = False, []
    with pytest.raises(Rejected) as rejected:
        provide(repository, b"<a/>")
    assert [one.code for one in rejected.value.errors] == ["XDSDuplicateUniqueIdInRegistry"]
    assert "uniqueId 2.25.1" in rejected.value.errors[0].context
    assert delivered(repository, "2.25.1.1") == b"<a/>"
    assert elsewhere.settle_all(before=0) == Settled(registered=1)
    assert (waiting(units), is_held(units, "2.25.1.1"), len(keys(store))) == (0, True, 1)
    assert delivered(repository, "2.25.1.1") == b"<a/>"


def test_a_repeated_submission_whose_first_request_was_lost_is_registered(
    repository: Repository, units: Units, elsewhere: Elsewhere, far: FarRegistry, store: BlobStore
) -> None:
    far.steps = [loses_the_request] * 3
    with pytest.raises(RegistrationUnknown):
        provide(repository, b"<a/>")
    provide(repository, b"<a/>")
    assert delivered(repository, "2.25.1.1") == b"<a/>"
    assert elsewhere.settle_all(before=0) == Settled(unknown=1)
    grow_older(units, DAY)
    assert elsewhere.settle_all(before=far_future()) == Settled(given_up=1)
    collect(units, store, before=far_future())
    assert (waiting(units), len(keys(store))) == (0, 1)
    assert delivered(repository, "2.25.1.1") == b"<a/>"


def test_what_is_young_is_never_given_up(
    repository: Repository, units: Units, elsewhere: Elsewhere, far: FarRegistry, store: BlobStore
) -> None:
    """A grace of nothing: the registry may still work on it."""
    far.steps = [loses_the_request] * 3
    with pytest.raises(RegistrationUnknown):
        provide(repository)
    assert elsewhere.settle_all(before=far_future()) == Settled(unknown=1)
    collect(units, store, before=far_future(), force=True)
    assert (waiting(units), len(keys(store))) == (1, 1)


def test_a_last_step_that_fails_changes_no_answer(
    repository: Repository, units: Units, elsewhere: Elsewhere, far: FarRegistry, unsettled: list[str]
) -> None:
    full = FullAfter(units, writes=1)
    repository = replace(repository, registration=replace(elsewhere, units=full))
    provide(repository, b"<a/>")
    assert unsettled == ["2.25.1"]
    assert (waiting(units), delivered(repository, "2.25.1.1")) == (1, b"<a/>")
    assert elsewhere.settle_all(before=0) == Settled(registered=1)
    assert is_held(units, "2.25.1.1")


@dataclass
class FullAfter:
    """Units whose disk is full after so many writes."""

    units: Units
    writes: int

    def write(self, work: Callable[[UnitOfWork], object]) -> object:
        if not self.writes:
            raise StorageFailed("no space", is_full=True)
        self.writes -= 1
        return self.units.write(work)

    def read(self) -> object:
        return self.units.read()


def test_same_octets_again_are_accepted_and_other_octets_refused(repository: Repository, store: BlobStore) -> None:
    provide(repository, b"<a/>")
    provide(repository, b"<a/>", submission="2.25.2", unique_id="2.25.1.1")
    with pytest.raises(Rejected) as rejected:
        provide(repository, b"<other/>", submission="2.25.3", unique_id="2.25.1.1")
    assert [one.code for one in rejected.value.errors] == ["XDSNonIdenticalHash", "XDSNonIdenticalSize"]
    assert (delivered(repository, "2.25.1.1"), len(keys(store))) == (b"<a/>", 1)


def test_two_documents_that_only_the_registry_takes_for_one_never_meet(
    repository: Repository, units: Units, store: BlobStore
) -> None:
    """SHA-1 and size agree, SHA-256 does not: refused while the first one still waits."""
    key = kept(store, b"<a/>")
    first = index.StoredDocument(
        unique_id="2.25.1.1",
        size=4,
        sha1=hashlib.sha1(b"<b/>").hexdigest(),
        sha256=hashlib.sha256(b"<a/>").hexdigest(),
        blob_key=key,
        mime_type="text/xml",
    )
    attempt = awaited.Attempt(id="1", submission="urn:uuid:1", submission_unique_id="2.25.9")
    units.write(lambda unit: awaited.begin(unit.connection, attempt, [first]))
    with pytest.raises(Rejected) as rejected:
        provide(repository, b"<b/>")
    assert [one.code for one in rejected.value.errors] == ["XDSNonIdenticalHash"]
    assert keys(store) == {key}


def test_removing_reaches_what_still_waits(repository: Repository, units: Units, far: FarRegistry) -> None:
    far.steps = [takes_and_goes]
    with pytest.raises(RegistrationUnknown):
        provide(repository)
    request = DocumentRequest(repository_unique_id=REPOSITORY, document_unique_id="2.25.1.1")
    with pytest.raises(RegistryNotAvailable):
        iti86.handle(repository, [request], OPEN_CALLER)
    far.is_away = False
    assert iti86.handle(repository, [request], OPEN_CALLER).removed == 1
    assert (delivered(repository, "2.25.1.1"), waiting(units)) == (None, 0)


def test_metadata_that_cannot_be_read_is_never_sent(repository: Repository, far: FarRegistry, store: BlobStore) -> None:
    entry = an_entry(content=b"<a/>")
    unreadable = RegistryError(code=ErrorCode.REGISTRY_METADATA, context="creationTime")
    reading = Reading(submission=a_submission(replace(entry, type_code=None)), errors=(unreadable,))
    blob = repository.blobs.receive()
    blob.write(b"<a/>")
    with pytest.raises(Rejected) as rejected:
        iti41.handle(repository, reading, iti41.Received(blobs={entry.entry_uuid: blob}), OPEN_CALLER)
    blob.discard()
    assert rejected.value.errors[0].context == "creationTime"
    assert any("typeCode" in one.context for one in rejected.value.errors), "with everything else that can be told"
    assert (far.asked, keys(store)) == (0, set())


def kept(store: BlobStore, content: bytes) -> str:
    blob = store.receive()
    blob.write(content)
    return blob.keep()


def grow_older(units: Units, seconds: int) -> None:
    table = awaited.awaited_document
    units.write(lambda unit: unit.connection.execute(table.update().values(begun=table.c.begun - seconds)))


def far_future() -> float:
    return 2.0**40
