"""The questions of a transaction are heard whole, and give without Carnet what they gave with it."""

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import make_url

from benchmarks.bare_questions import BareQuestions, heard
from benchmarks.dataset import load_dataset
from benchmarks.plan import Sizes
from benchmarks.questions import find_documents, retrieve_document
from benchmarks.requests import Request, Workload
from carnet.settings import Settings
from storage.prepared import Prepared
from tests import servers
from xds.query_grammar import ReturnType

SIZES = Sizes(entries=60, patients=4)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    made = servers.settings_for(tmp_path_factory.mktemp("questions"))
    load_dataset(SIZES, [made])
    return made


def test_what_a_search_finds_is_among_the_rows_of_its_questions(settings: Settings) -> None:
    rows_as_they_were = Prepared.rows
    (questions,) = heard(settings, [find_documents(ReturnType.LEAF_CLASS)(Workload(SIZES), 0)])
    assert Prepared.rows is rows_as_they_were
    assert all(text.startswith(("SELECT", "WITH")) for _, text, _ in questions)
    with closing(sqlite3.connect(make_url(settings.database_url).database or "")) as database:
        rows = [database.execute(text, values).fetchall() for _, text, values in questions]
    assert 20 in map(len, rows)


def test_requests_are_asked_in_turn(settings: Settings) -> None:
    workload = Workload(SIZES)
    bare = BareQuestions(settings, [retrieve_document(workload, number) for number in range(2)])
    assert not bare.are_none
    assert bare.run(2, 0.1).requests > 2
    assert bare.run(2, 0).requests == 2  # each connection once, however busy the machine is
    bare.close()


def test_a_transaction_that_asks_nothing_has_none(settings: Settings) -> None:
    bare = BareQuestions(settings, [Request(path="/health/live", method="GET")])
    assert bare.are_none
    bare.close()
