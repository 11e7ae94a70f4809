"""Hostile stored queries over real HTTP: the named error in time, no traceback anywhere, the connection as usable as before."""

import http.client
from collections.abc import Iterator

import pytest
from lxml import etree

from tests import messages
from tests.builders import PATIENT
from tests.registry.hostile_queries import Hostile, hostile_queries, in_time, request
from tests.servers import Server
from xds.stored_queries import FIND_DOCUMENTS
from xds.vocabulary import RS

pytestmark = pytest.mark.one_process  # a registry alone answers
HEADERS = {"Content-Type": messages.simple_type(messages.QUERY_ACTION)}
TYPE = "$XDSDocumentEntryTypeCode"


@pytest.fixture
def connection(server: Server) -> Iterator[http.client.HTTPConnection]:
    opened = http.client.HTTPConnection(server.settings.host, server.settings.port, timeout=60)
    yield opened
    opened.close()


def ask(connection: http.client.HTTPConnection, body: bytes) -> tuple[int, bytes]:
    connection.request("POST", "/xds/registry", messages.envelope(body, messages.QUERY_ACTION), HEADERS)
    answer = connection.getresponse()
    return answer.status, answer.read()


def codes(content: bytes) -> set[str]:
    return {str(error.get("errorCode")) for error in etree.fromstring(content).iter(f"{{{RS}}}RegistryError")}


@pytest.mark.parametrize("hostile", hostile_queries(), ids=lambda one: one.name)
def test_a_hostile_query_gets_the_named_error_in_time(
    server: Server, connection: http.client.HTTPConnection, hostile: Hostile
) -> None:
    status, content = in_time(lambda: ask(connection, hostile.body))
    assert (status, codes(content)) == (200, set(hostile.codes))
    assert b"Traceback" not in content


def test_a_value_of_10_mb_is_413_and_the_server_goes_on(server: Server) -> None:
    body = request(FIND_DOCUMENTS.id, [(TYPE, [f"('{'x' * 10_000_000}')"])])
    message = messages.envelope(body, messages.QUERY_ACTION)
    answer = in_time(lambda: server.post("/xds/registry", message, HEADERS["Content-Type"]))
    assert (answer.status, answer.headers["content-type"]) == (413, "text/plain; charset=utf-8")
    assert b"8000000 octets" in answer.body
    after = messages.query(server, FIND_DOCUMENTS.id, {})
    assert after.codes == ["XDSStoredQueryMissingParam"] * 2


def test_a_connection_answers_honest_queries_after_hostile_ones(connection: http.client.HTTPConnection) -> None:
    status = ("$XDSDocumentEntryStatus", ["('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"])
    honest = request(FIND_DOCUMENTS.id, [("$XDSDocumentEntryPatientId", [f"'{PATIENT}'"]), status])
    for hostile in hostile_queries()[::7]:
        assert codes(ask(connection, hostile.body)[1]) == set(hostile.codes)
        assert ask(connection, honest)[0] == 200
        assert codes(ask(connection, honest)[1]) == set()


@pytest.mark.parametrize("server", ["started"], indirect=True)
def test_the_log_of_a_server_has_no_traceback(server: Server, connection: http.client.HTTPConnection) -> None:
    for hostile in hostile_queries():
        assert ask(connection, hostile.body)[0] == 200
    log = server.log_with("/xds/registry")
    assert "Traceback" not in log
    assert "unexpected" not in log
