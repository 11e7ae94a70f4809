"""`conformance/requirements.csv`, and how it is read."""

from pathlib import Path

import pytest

from conformance.failures import KitError
from conformance.requirements import COLUMNS, SHIPPED, Actor, Level, Way, requirements, requirements_of

GOOD = "CLIENT-TLS-01,Un texte.,A text.,A source,client,SHALL,message: a header"


def table(folder: Path, *rows: str, columns: str = ",".join(COLUMNS)) -> Path:
    path = folder / "requirements.csv"
    path.write_text("\n".join((columns, *rows)) + "\n", encoding="utf-8")
    return path


def test_the_shipped_table_binds_clients_and_servers() -> None:
    assert {one.actor for one in requirements()} == set(Actor)
    assert {one.topic for one in requirements_of(Actor.CLIENT)} == {
        "TLS",
        "SOAP",
        "MTOM",
        "VIHF",
        "META",
        "CDA",
        "SIGN",
        "QRY",
        "RET",
        "FHIR",
        "UPD",
        "ADM",
        "ORDER",
        "ERR",
    }
    assert {one.topic for one in requirements_of(Actor.SERVER)} == {"TLS", "SOAP", "XDS", "MHD", "TD", "VIHF", "CDA"}


def test_a_client_is_judged_by_what_it_sent_and_a_server_by_tests() -> None:
    sent, tested = {Way.MESSAGE, Way.CONVERSATION, Way.MANUAL}, {Way.NIST, Way.FHIR, Way.PROBE}
    assert {one.way for one in requirements_of(Actor.CLIENT)} == sent
    assert {one.way for one in requirements_of(Actor.SERVER)} == tested


def test_both_languages_say_something_of_their_own() -> None:
    assert [one.id for one in requirements() if one.text_fr == one.text_en] == []


def test_the_ids_of_a_topic_are_numbered_without_a_gap() -> None:
    by_topic: dict[str, list[int]] = {}
    for one in requirements():
        by_topic.setdefault(one.id[:-3], []).append(int(one.id[-2:]))
    assert {topic: numbers for topic, numbers in by_topic.items() if numbers != list(range(1, len(numbers) + 1))} == {}


def test_a_row_is_read(tmp_path: Path) -> None:
    (one,) = requirements(table(tmp_path, GOOD))
    assert (one.id, one.level, one.way, one.looked_at) == ("CLIENT-TLS-01", Level.SHALL, Way.MESSAGE, "a header")


def test_tests_are_named_by_patterns() -> None:
    wrapped = next(one for one in requirements() if one.looked_at == "vihf.wrapped-*")
    assert wrapped.is_about("vihf.wrapped-3-first")
    assert not wrapped.is_about("vihf.unsigned")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ((GOOD, GOOD), "CLIENT-TLS-01 stands there more than once"),
        ((GOOD.replace("SHALL", "MAY"),), "line 2: found the level MAY, expected SHALL, SHOULD"),
        ((GOOD.replace("message:", "guess:"),), "line 2: found the way guess"),
        ((GOOD.replace("message: ", ""),), "line 2: found the check a header"),
        ((GOOD.replace(",client,", ",server,"),), "line 2: found the id CLIENT-TLS-01"),
        ((GOOD.replace("A text.", " "),), "line 2: text_en is empty"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, rows: tuple[str, ...], told: str) -> None:
    with pytest.raises(KitError, match=told):
        requirements(table(tmp_path, *rows))


def test_other_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KitError, match="expected id, text_fr, text_en"):
        requirements(table(tmp_path, columns="id,text"))


def test_the_shipped_table_lies_beside_its_reader() -> None:
    assert SHIPPED.is_file()
