"""Reading a kit: where its parts lie, which sections run, what is refused."""

from pathlib import Path

import pytest

from conformance.failures import KitError
from conformance.nist.kit import NAMELESS, read_kit
from tests.conformance.kits import a_plan, write_kit


def test_sections_are_those_of_the_index_in_its_order(tmp_path: Path) -> None:
    write_kit(tmp_path, {"1": {"b": {"testplan.xml": a_plan()}, "a": {"testplan.xml": a_plan()}}})
    (tmp_path / "testkit/tests/1/index.idx").write_text("b\n\n a \n")
    unlisted = tmp_path / "testkit/tests/1/unlisted"
    unlisted.mkdir()
    (unlisted / "testplan.xml").write_text(a_plan())
    assert [section.name for section in read_kit(tmp_path).tests["1"].sections] == ["b", "a"]


def test_a_test_without_index_is_one_nameless_section(tmp_path: Path) -> None:
    write_kit(tmp_path, {})
    plain = tmp_path / "testkit/tests/plain"
    plain.mkdir()
    (plain / "testplan.xml").write_text(a_plan())
    (section,) = read_kit(tmp_path).tests["plain"].sections
    assert (section.name, section.folder) == (NAMELESS, plain)


def test_title_tags_source_id_and_authorities_are_read(tmp_path: Path) -> None:
    kit = read_kit(write_kit(tmp_path, {"1": {"a": {"testplan.xml": a_plan()}}}))
    assert (kit.tests["1"].title, kit.tests["1"].tags) == ("Title of 1", ("reg",))
    assert kit.source_id == "2.25.7002"
    assert kit.codes.authorities == ("2.25.7000",)


def test_codes_are_closed_where_the_table_has_their_type(tmp_path: Path) -> None:
    codes = read_kit(write_kit(tmp_path, {})).codes
    assert codes.permits("classCode", "REPORT", "2.25.7001")
    assert not codes.permits("classCode", "REPORT", "2.25.9")
    assert codes.permits("formatCode", "anything", "2.25.9")
    assert not codes.permits_mime_type("application/pdf")


def test_the_tests_folder_itself_is_a_kit_with_open_codes(tmp_path: Path) -> None:
    write_kit(tmp_path, {"1": {"a": {"testplan.xml": a_plan()}}})
    kit = read_kit(tmp_path / "testkit" / "tests")
    assert "1" in kit.tests
    assert kit.codes.permits("classCode", "anything", "2.25.9")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda kit: (kit / "testkit/tests/1/a/testplan.xml").unlink(), "lists a, but"),
        (lambda kit: (kit / "environment/default/codes.xml").write_text("<Codes>"), "is no XML"),
        (lambda kit: (kit / "environment/default/codes.xml").write_text("<Other/>"), "expected Codes"),
    ],
)
def test_what_is_wrong_in_a_kit_is_named(tmp_path: Path, spoil: object, sentence: str) -> None:
    write_kit(tmp_path, {"1": {"a": {"testplan.xml": a_plan()}}})
    spoil(tmp_path)  # type: ignore[operator]
    with pytest.raises(KitError, match=sentence):
        read_kit(tmp_path)


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_a_folder_without_tests_is_no_kit(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(KitError, match=folder):
        read_kit(tmp_path / folder)
