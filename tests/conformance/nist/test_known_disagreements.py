"""The list of known disagreements lies outside the kit and says what holds instead."""

from pathlib import Path

import pytest
from lxml import etree

from conformance.failures import KitError
from conformance.nist.known_disagreements import SHIPPED, read_disagreements
from conformance.nist.testplan import Assertion, Expectation, Instructions
from conformance.nist.transactions import ITI18

ENTRY = """[[disagreement]]
test = "1"
section = "a"
step = "s"
reason = "because"
"""


def test_the_shipped_list_gives_a_reason_and_a_clause_for_each_entry() -> None:
    for entry in read_disagreements([SHIPPED]).values():
        assert entry.reason
        assert entry.clause
        assert entry.contents or entry.assertions


def test_counts_and_assertions_are_replaced_and_others_kept(tmp_path: Path) -> None:
    path = tmp_path / "d.toml"
    path.write_text(ENTRY + '[disagreement.contents]\nAssociations = 3\n[disagreement.assertions]\na = "1 = 1"\n')
    instructions = Instructions(
        transaction=ITI18,
        element=etree.Element("x"),
        expected_contents=(Expectation(name="Associations", count=1), Expectation(name="Documents", count=2)),
        assertions=(Assertion(id="a", xpath="1 = 2"), Assertion(id="b", xpath="2 = 2")),
    )
    changed = read_disagreements([path])["1", "a", "s"].by_the_standard(instructions)
    assert [one.count for one in changed.expected_contents] == [3, 2]
    assert [one.xpath for one in changed.assertions] == ["1 = 1", "2 = 2"]


def test_a_later_list_wins(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(ENTRY.replace("because", name))
    assert read_disagreements([tmp_path / "a", tmp_path / "b"])["1", "a", "s"].reason == "b"


@pytest.mark.parametrize("text", ["[[disagreement", "[[disagreement]]\nwho = 1\n"])
def test_a_list_that_cannot_be_used_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "d.toml").write_text(text)
    with pytest.raises(KitError, match=r"d\.toml"):
        read_disagreements([tmp_path / "d.toml"])
