"""The SOAP client: what it sends, and what it makes of any answer."""

from pathlib import Path

import pytest
from lxml import etree

from conformance.failures import KitError, UnreachableServer
from conformance.nist.mtom import media_type, read_multipart
from conformance.nist.soap_client import SoapClient, check_reachable, check_url
from conformance.nist.transactions import ITI41, ITI42
from tests.conformance.fake_servers import Reply, Request, soap_server
from tests.conformance.kits import a_registry_response, element

WSA = "{http://www.w3.org/2005/08/addressing}"
SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
RIGHT = Reply(body=a_registry_response())


def test_a_plain_request_carries_all_addressing_headers() -> None:
    with soap_server(lambda request: RIGHT) as server:
        exchange = SoapClient(headers=(b"<one/>",)).send(
            server.url, ITI42, element("<r:Body/>"), documents={}, is_mtom=False, headers=[b"<two/>"]
        )
    (request,) = server.requests
    assert request.content_type == f'application/soap+xml; charset=UTF-8; action="{ITI42.action}"'
    header = etree.fromstring(request.body)[0]
    assert header.findtext(f"{WSA}Action") == ITI42.action
    assert header.findtext(f"{WSA}MessageID") == exchange.message_id
    assert header.findtext(f"{WSA}To") == server.url
    assert header.findtext(f"{WSA}ReplyTo/{WSA}Address").endswith("anonymous")
    assert {one.get(f"{SOAP}mustUnderstand") for one in header[:4]} == {"true"}
    assert [one.tag for one in header[4:]] == ["one", "two"]
    assert exchange.answer is not None
    assert (exchange.answer.action, exchange.answer.relates_to) == (ITI42.response_action, exchange.message_id)


def test_an_mtom_request_puts_documents_in_parts_of_their_own() -> None:
    with soap_server(lambda request: Reply(body=a_registry_response())) as server:
        payload = element('<x:R><x:Document id="a"/></x:R>')
        SoapClient().send(server.url, ITI41, payload, documents={"a": b"abc"}, is_mtom=True)
    kind, parameters = media_type(server.requests[0].content_type)
    root, (part,) = read_multipart(parameters, server.requests[0].body)
    assert kind == "multipart/related"
    assert part.content == b"abc"
    assert f"cid:{part.content_id}".encode() in root


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (
            Reply(raw=b"<html>", content_type="text/html", status=404),
            "HTTP 404 Not Found: the answer (text/html) is no XML",
        ),
        (Reply(raw=b"<html/>", content_type="text/html", status=200), "not a SOAP 1.2 envelope"),
        (Reply(raw=b"<!DOCTYPE a><a/>"), "DOCTYPE"),
        (Reply(body=""), "has an empty body"),
        (Reply(raw=b"--b", content_type="multipart/related; boundary=b"), "closing boundary"),
        (Reply(raw=b" ", content_type="multipart/related"), "names no boundary"),
    ],
)
def test_an_answer_that_is_no_soap_is_put_into_words(reply: Reply, problem: str) -> None:
    with soap_server(lambda request: reply) as server:
        exchange = SoapClient().send(server.url, ITI42, element("<r:B/>"), documents={}, is_mtom=False)
    assert exchange.answer is None
    assert problem in exchange.problem
    assert exchange.response is not None


def test_a_fault_is_an_answer_whatever_its_http_status() -> None:
    fault = "<s:Fault><s:Reason><s:Text>because</s:Text></s:Reason></s:Fault>"
    with soap_server(lambda request: Reply(body=fault, status=500)) as server:
        exchange = SoapClient().send(server.url, ITI42, element("<r:B/>"), documents={}, is_mtom=False)
    assert exchange.answer is not None
    assert exchange.answer.is_fault
    assert exchange.answer.fault_reason == "because"


def test_no_answer_in_time_is_a_problem_of_the_exchange() -> None:
    def never(request: Request) -> Reply:
        waiting.wait(5)
        return RIGHT

    import threading

    waiting = threading.Event()
    with soap_server(never) as server:
        client = SoapClient(timeout_seconds=0.05)
        exchange = client.send(server.url, ITI42, element("<r:B/>"), documents={}, is_mtom=False)
        waiting.set()
    assert "no answer from" in exchange.problem


@pytest.mark.parametrize("url", ["ftp://x", "x", "http://", "localhost:80"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(KitError, match="expected http://HOST:PORT/PATH"):
        check_url(url)


def test_nobody_listening_is_said_with_the_address(tmp_path: Path) -> None:
    with soap_server(lambda request: RIGHT) as server:
        check_reachable(server.url, timeout_seconds=5, tls=None)
    with pytest.raises(UnreachableServer, match=server.url):
        check_reachable(server.url, timeout_seconds=5, tls=None)
