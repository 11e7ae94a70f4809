"""Row D01: what a caller may not see takes as long to refuse as what is not there, at every door, within 1 ms."""

import random
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import pytest

from tests import messages, servers
from tests.flows.test_access_policy import World

_ROUNDS, _MOST_ROUNDS = 150, 600
_MOST_DIFFERENCE = 0.001
# By uniqueId and by the id of FHIR.
ABSENT = {"absent": "2.25.98765432123456789", "absent too": "2.25.98765432123456780"}
ABSENT_BY_FHIR = {name: f"11111111-1111-4111-8111-11111111111{n}" for n, name in enumerate(ABSENT)}
Ask = Callable[[str], object]


def differences(door: str, asked: Mapping[str, Callable[[], object]]) -> tuple[float, float]:
    """How far the medians lie apart, in seconds, and those of the two that are absent: the noise of the machine.

    Rounds in which each is asked once, in an order of its own. What another process does at that moment is in one of
    them as often as in the other, but in few rounds not as much: then there are more, which a true difference outlives.
    """
    chance, names = random.Random(1), list(asked)
    taken: dict[str, list[float]] = {name: [] for name in names}
    while True:
        for _ in range(_ROUNDS):
            for name in chance.sample(names, len(names)):
                began = perf_counter()
                asked[name]()
                taken[name].append(perf_counter() - began)
        middle = {name: median(times) for name, times in taken.items()}
        apart, noise = max(middle.values()) - min(middle.values()), abs(middle["absent"] - middle["absent too"])
        if apart < _MOST_DIFFERENCE or len(taken["absent"]) >= _MOST_ROUNDS:
            print(door, {name: f"{seconds * 1000:.2f} ms" for name, seconds in middle.items()}, len(taken["absent"]))
            return apart, noise


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def worlds(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[World, World]]:
    """Two patients with a record each, at a server that is a process of its own."""
    database = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else ""
    with servers.started(servers.settings_for(tmp_path, database, domain="dmp", audit="on")) as server:
        yield World(server), World(server)


def _queried(world: World, header: bytes) -> Ask:
    def ask(unique_id: str) -> object:
        answered = world.query(header, messages.GET_DOCUMENTS, XDSDocumentEntryUniqueId=f"('{unique_id}')")
        return answered.status, len(answered.envelope.findall(".//{*}ExtrinsicObject"))

    return ask


def _retrieved(world: World, header: bytes) -> Ask:
    return lambda unique_id: world.retrieve(header, unique_id).codes


def _read(world: World, header: bytes, name: str) -> Ask:
    return lambda fhir_id: world.fhir(header, f"/{name}/{fhir_id}")


def test_d01_a_refusal_takes_as_long_whether_the_document_is_there_or_not(worlds: tuple[World, World]) -> None:
    """One of the caller's patient that is hidden from them, one of another patient, and one that nobody has."""
    world, other = worlds
    entries = {"hidden": world.fed(), "another patient's": other.fed()}
    by_unique_id = {name: one.unique_id or "" for name, one in entries.items()} | ABSENT
    by_fhir_id = {name: (one.logical_id or "")[9:] for name, one in entries.items()} | ABSENT_BY_FHIR
    stranger = world.vihf("810000000001")
    for door, ask, named in (
        ("ITI-18", _queried(world, stranger), by_unique_id),
        ("ITI-43", _retrieved(world, stranger), by_unique_id),
        ("DocumentReference", _read(world, stranger, "DocumentReference"), by_fhir_id),
        ("Binary", _read(world, stranger, "Binary"), by_fhir_id),
    ):
        asked = {name: partial(ask, identifier) for name, identifier in named.items()}
        assert asked["hidden"]() == asked["another patient's"]() == asked["absent"](), door
        apart, noise = differences(door, asked)
        assert apart < max(_MOST_DIFFERENCE, 3 * noise), door
