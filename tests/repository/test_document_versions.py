"""Versions of documents whose registration is awaited: a repeated attempt keeps its claim, one given up leaves none."""

from repository import awaited, document_versions
from repository.awaited import Attempt
from repository.document_rules import DocumentVersion
from repository.index import StoredDocument
from storage.unit_of_work import Units
from xds.errors import RegistryError

VERSION = DocumentVersion(set_id="2.25.7", number=1)


def a_document(unique_id: str, key: str) -> StoredDocument:
    return StoredDocument(
        unique_id=unique_id,
        size=1,
        sha1="0" * 40,
        sha256="0" * 64,
        blob_key=key,
        mime_type="text/xml",
        is_only_once=True,
        version=VERSION,
    )


def an_attempt(name: str) -> Attempt:
    return Attempt(id=name, submission=f"urn:uuid:{name}", submission_unique_id=f"2.25.{name}")


def begun(units: Units, name: str, document: StoredDocument) -> list[RegistryError]:
    def work(unit: object) -> list[RegistryError]:
        connection = unit.connection  # type: ignore[attr-defined]
        errors = list(document_versions.repetitions(connection, {"Document01": document}, held=()))
        if not errors:
            awaited.begin(connection, an_attempt(name), [document])
        return errors

    return units.write(work)


def given_up(units: Units, name: str) -> None:
    units.write(lambda unit: awaited.give_up(unit.connection, an_attempt(name)))


def test_an_awaited_document_has_its_version_until_it_is_given_up(units: Units) -> None:
    assert not begun(units, "1", a_document("2.25.1", "a"))
    assert "versionNumber 1" in begun(units, "2", a_document("2.25.2", "b"))[0].context
    given_up(units, "1")
    assert not begun(units, "3", a_document("2.25.2", "c"))


def test_a_document_sent_again_keeps_the_version_that_its_first_attempt_claimed(units: Units) -> None:
    assert not begun(units, "1", a_document("2.25.1", "a"))
    assert not begun(units, "2", a_document("2.25.1", "b"))
    given_up(units, "1")
    assert begun(units, "3", a_document("2.25.2", "c"))
    given_up(units, "2")
    assert not begun(units, "4", a_document("2.25.2", "d"))


def test_a_document_that_is_held_has_its_version_when_another_attempt_is_given_up(units: Units) -> None:
    begun(units, "1", a_document("2.25.1", "a"))
    begun(units, "2", a_document("2.25.1", "b"))
    units.write(lambda unit: awaited.settle(unit.connection, an_attempt("1")))
    given_up(units, "2")
    assert begun(units, "3", a_document("2.25.2", "c"))
