"""Remove Documents [ITI-86]: each document alone, metadata untouched, nothing comes back by itself."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from access_policy.caller import OPEN_CALLER, Caller
from access_policy.trust import Trust
from audit.recorder import NoRecorder
from repository import iti43_retrieve_document_set as iti43
from repository import iti86_remove_documents as iti86
from repository.document_request import DocumentRequest
from repository.filesystem_store import FilesystemStore
from repository.index import StoredDocument, add
from repository.registration import InOneUnit
from repository.store import Repository
from repository.submission_signature import Demand, SignatureRules
from storage.unit_of_work import StorageFailed, Units
from tests.audit.happenings import a_trail, kept
from tests.builders import PATIENT

OURS = "1.2.250.1.213.4.1.1.1.2"


class StoreThatKeeps(FilesystemStore):
    """A blob store that deletes nothing, as one whose disk has become read-only."""

    def delete(self, key: str) -> None:
        raise OSError("read-only file system")


def everything(_caller: Caller, unique_ids: Collection[str]) -> frozenset[str]:
    return frozenset(unique_ids)


def nothing(_caller: Caller, _unique_ids: Collection[str]) -> frozenset[str]:
    return frozenset()


@pytest.fixture
def leftovers() -> list[str]:
    return []


@pytest.fixture
def repository(units: Units, tmp_path: Path, leftovers: list[str]) -> Repository:
    return Repository(
        unique_id=OURS,
        units=units,
        blobs=FilesystemStore(tmp_path / "documents"),
        registration=InOneUnit(units, lambda *_: ()),
        readable=everything,
        removable=everything,
        waits=lambda _unit, _unique_ids: frozenset(),
        now=lambda: "20260310100000",
        on_leftover=lambda key, _problem: leftovers.append(key),
        on_damage=lambda _key: None,
        signatures=SignatureRules(demand=Demand.IGNORED, trust=lambda: Trust(()), now=lambda: datetime.now(UTC)),
    )


def hold(repository: Repository, unique_id: str, content: bytes = b"<ClinicalDocument/>") -> StoredDocument:
    blob = repository.blobs.receive()
    blob.write(content)
    digest, key = blob.digest(), blob.keep()
    document = StoredDocument(
        unique_id=unique_id,
        size=digest.size,
        sha1=digest.sha1,
        sha256=digest.sha256,
        blob_key=key,
        mime_type="text/xml",
    )
    repository.units.write(lambda unit: add(unit.connection, [document]))
    return document


def request(unique_id: str, repository_unique_id: str = OURS) -> DocumentRequest:
    return DocumentRequest(repository_unique_id=repository_unique_id, document_unique_id=unique_id)


def files(tmp_path: Path) -> int:
    return len([one for one in (tmp_path / "documents").rglob("*") if one.is_file()])


def outcome(removal: iti86.Removal) -> tuple[str, list[tuple[str, str]]]:
    return removal.status.rpartition(":")[2], [(str(one.code), one.location) for one in removal.errors]


def test_a_removed_document_cannot_be_retrieved_and_its_octets_are_gone(repository: Repository, tmp_path: Path) -> None:
    for number in (1, 2):
        hold(repository, f"2.25.{number}")
    assert outcome(iti86.handle(repository, [request("2.25.1")], OPEN_CALLER)) == ("Success", [])
    retrieved = iti43.handle(repository, [request("2.25.1"), request("2.25.2")], OPEN_CALLER)
    assert [str(error.code) for error in retrieved.errors] == ["XDSDocumentUniqueIdError"]
    assert [b"".join(one.octets) for one in retrieved.delivered] == [b"<ClinicalDocument/>"]
    assert files(tmp_path) == 1


def test_each_document_succeeds_or_fails_alone_in_the_order_of_the_request(repository: Repository) -> None:
    hold(repository, "2.25.1")
    requests = [request("2.25.404"), request("2.25.1"), request("2.25.1", "1.2.3"), request("2.25.405")]
    removal = iti86.handle(repository, requests, OPEN_CALLER)
    assert outcome(removal) == (
        "PartialSuccess",
        [
            ("XDSDocumentUniqueIdError", "2.25.404"),
            ("XDSUnknownRepositoryId", "2.25.1"),
            ("XDSDocumentUniqueIdError", "2.25.405"),
        ],
    )
    assert all(error.location in error.context for error in removal.errors)


def test_a_request_that_removes_nothing_fails(repository: Repository) -> None:
    removal = iti86.handle(repository, [request("2.25.404")], OPEN_CALLER)
    assert outcome(removal) == ("Failure", [("XDSDocumentUniqueIdError", "2.25.404")])


def test_a_document_named_twice_is_removed_once(repository: Repository) -> None:
    hold(repository, "2.25.1")
    assert outcome(iti86.handle(repository, [request("2.25.1")] * 2, OPEN_CALLER)) == ("Success", [])


def test_a_second_removal_says_that_it_is_not_held(repository: Repository) -> None:
    hold(repository, "2.25.1")
    iti86.handle(repository, [request("2.25.1")], OPEN_CALLER)
    removal = iti86.handle(repository, [request("2.25.1")], OPEN_CALLER)
    assert outcome(removal) == ("Failure", [("XDSDocumentUniqueIdError", "2.25.1")])


def test_who_may_read_but_not_remove_is_told_so(repository: Repository, tmp_path: Path) -> None:
    hold(repository, "2.25.1")
    reader = replace(repository, removable=nothing)
    removal = iti86.handle(reader, [request("2.25.1"), request("2.25.2")], OPEN_CALLER)
    assert outcome(removal) == (
        "Failure",
        [("XDSRemoveDocumentsError", "2.25.1"), ("XDSDocumentUniqueIdError", "2.25.2")],
    )
    assert files(tmp_path) == 1


def test_what_a_waiting_submission_needs_stays(repository: Repository, tmp_path: Path) -> None:
    for number in (1, 2):
        hold(repository, f"2.25.{number}")
    keeping = replace(repository, waits=lambda _unit, _unique_ids: frozenset({"2.25.1"}))
    removal = iti86.handle(keeping, [request("2.25.1"), request("2.25.2")], OPEN_CALLER)
    assert outcome(removal) == ("PartialSuccess", [("XDSRemoveDocumentsError", "2.25.1")])
    assert "waits for its patient" in removal.errors[0].context
    assert files(tmp_path) == 1


def test_who_may_not_even_read_learns_nothing(repository: Repository, tmp_path: Path) -> None:
    hold(repository, "2.25.1")
    stranger = replace(repository, removable=nothing, readable=nothing)
    known, unknown = (
        iti86.handle(stranger, [request(unique_id)], OPEN_CALLER).errors[0] for unique_id in ("2.25.1", "2.25.2")
    )
    assert known.code == unknown.code
    assert known.context.replace("2.25.1", "2.25.2") == unknown.context
    assert files(tmp_path) == 1


def test_a_document_whose_metadata_is_gone_can_still_be_removed(repository: Repository, tmp_path: Path) -> None:
    hold(repository, "2.25.1")
    without_metadata = replace(repository, readable=nothing)
    assert outcome(iti86.handle(without_metadata, [request("2.25.1")], OPEN_CALLER)) == ("Success", [])
    assert files(tmp_path) == 0


def test_a_blob_that_cannot_be_deleted_is_told_and_stays_out_of_reach(
    repository: Repository, leftovers: list[str], tmp_path: Path
) -> None:
    document = hold(repository, "2.25.1")
    stubborn = replace(repository, blobs=StoreThatKeeps(tmp_path / "documents"))
    assert outcome(iti86.handle(stubborn, [request("2.25.1")], OPEN_CALLER)) == ("Success", [])
    assert leftovers == [document.blob_key]
    assert iti43.handle(stubborn, [request("2.25.1")], OPEN_CALLER).delivered == ()


def test_a_database_that_fails_removes_nothing(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(repository, "2.25.1")

    def fail(*_arguments: object, **_named: object) -> None:
        raise StorageFailed("disk full")

    monkeypatch.setattr(NoRecorder, "record", fail)
    removal = iti86.handle(repository, [request("2.25.1"), request("2.25.2", "1.2.3")], OPEN_CALLER)
    assert outcome(removal) == (
        "Failure",
        [("XDSRemoveDocumentsError", "2.25.1"), ("XDSUnknownRepositoryId", "2.25.2")],
    )
    assert b"".join(iti43.handle(repository, [request("2.25.1")], OPEN_CALLER).delivered[0].octets)
    assert files(tmp_path) == 1


def test_a_removal_leaves_an_audit_record_for_each_patient_that_names_the_documents(
    repository: Repository, units: Units
) -> None:
    for number in (1, 2):
        hold(repository, f"2.25.{number}")
    audited = replace(repository, recorder=a_trail(units), patients_of=lambda _: {"2.25.1": PATIENT.key})
    iti86.handle(audited, [request("2.25.2"), request("2.25.1"), request("2.25.3")], OPEN_CALLER)
    iti86.handle(audited, [request("2.25.1")], OPEN_CALLER)
    found = [(one.patient, [thing.id for thing in one.objects if not thing.is_patient]) for one in kept(units)]
    assert found == [(PATIENT.key, ["2.25.1"]), ("", ["2.25.2"])]
