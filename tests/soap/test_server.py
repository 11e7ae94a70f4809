"""The SOAP door by itself, with small transactions behind it: dispatch, faults, packaging, streaming."""

import base64
import gc
import io
import json
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from soap.faults import ADDRESSING, ENVELOPE, HTTP_STATUS, FaultCode
from soap.large_messages import LargeMessages
from soap.server import Endpoint, HttpAnswer, HttpRequest, Message, Operation, OutgoingPart, Reply, SoapLimits
from soap.wire import DMP, STRICT, Wire
from tests import messages
from tests.servers import ROOT_OF_CORPUS
from xds.vocabulary import XDS_B

ECHO, STORE, TWIN = "urn:test:echo", "urn:test:store", "urn:test:twin"
DOCUMENT = f"{{{XDS_B}}}Document"
ROOT = "root@test"


def echo(message: Message) -> Reply:
    return Reply(body=b"<done>%s %s</done>" % (message.operation.encode(), (message.body.text or "").encode()))


def nobody(_envelope: etree._Element) -> None:
    return None


def store(message: Message) -> Reply:
    parts = [(part.content_id, b"".join(part)) for part in message.parts]
    text = json.dumps([[content_id, base64.b64encode(content).decode()] for content_id, content in parts])
    return Reply(body=b"<stored>%s</stored>" % text.encode())


def fetch(_message: Message) -> Reply:
    include = b'<d><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:x@c"/></d>'
    return Reply(
        body=include, parts=(OutgoingPart(content_id="x@c", content_type="a/b", chunks=[b"ab", b"cd"], length=4),)
    )


def fail(_message: Message) -> Reply:
    raise LookupError("a secret")


def operation(name: str, action: str, body: str, handler: Any = echo, documents: str = "") -> Operation:
    return Operation(
        name=name, action=action, response_action=f"{action}Response", body=body, handler=handler, documents=documents
    )


OPERATIONS = (
    operation("ECHO-1", ECHO, "{urn:t}echo"),
    operation("STORE-1", STORE, "{urn:t}store", store, DOCUMENT),
    operation("FETCH-1", "urn:test:fetch", "{urn:t}fetch", fetch),
    operation("FAIL-1", "urn:test:fail", "{urn:t}fail", fail),
    operation("TWIN-1", TWIN, "{urn:t}twin"),
    operation("TWIN-2", TWIN + "2", "{urn:t}twin"),
)


def endpoint(wire: Wire = STRICT, errors: list[str] | None = None, **limits: int) -> Endpoint:
    def on_error(correlation_id: str, problem: BaseException) -> None:
        if errors is not None:
            errors.append(f"{correlation_id} {problem}")

    return Endpoint(OPERATIONS, wire=wire, limits=SoapLimits(**limits), on_error=on_error)


def simple(body: bytes, *, wire: Wire = STRICT, content_type: str = "application/soap+xml") -> HttpAnswer:
    return endpoint(wire).answer(HttpRequest(content_type=content_type, body=io.BytesIO(body), caller_of=nobody))


def text(answer: HttpAnswer) -> bytes:
    return b"".join(answer.body)


def fault(answer: HttpAnswer) -> tuple[int, list[str]]:
    root = etree.fromstring(text(answer))
    return answer.status, [str(one.text) for one in root.iterfind(f".//{{{ENVELOPE}}}Code//{{{ENVELOPE}}}Value")]


def sent(body: bytes = b'<x:echo xmlns:x="urn:t">hi</x:echo>', action: str | None = ECHO, **given: str) -> bytes:
    return messages.envelope(body, action, **given)


WSA_SENDER = ["env:Sender", "wsa:InvalidAddressingHeader"]


def addressed(name: str, address: str) -> str:
    return f"<a:{name}><a:Address>{address}</a:Address></a:{name}>"


@pytest.mark.parametrize(
    ("message", "expected"),
    {
        "no action": (sent(action=None), (400, ["env:Sender", "wsa:MessageAddressingHeaderRequired"])),
        "an empty action": (sent(action=""), (400, ["env:Sender", "wsa:MessageAddressingHeaderRequired"])),
        "an unknown action": (sent(action="urn:x"), (400, ["env:Sender", "wsa:ActionNotSupported"])),
        "two actions": (sent(header=f"<a:Action>{ECHO}</a:Action>"), (400, [*WSA_SENDER, "wsa:InvalidCardinality"])),
        "two message ids": (
            sent(header="<a:MessageID>x</a:MessageID>"),
            (400, [*WSA_SENDER, "wsa:InvalidCardinality"]),
        ),
        "a foreign ReplyTo": (
            sent(header=addressed("ReplyTo", "http://127.0.0.1/x")),
            (400, [*WSA_SENDER, "wsa:OnlyAnonymousAddressSupported"]),
        ),
        "a foreign FaultTo": (
            sent(header=addressed("FaultTo", "http://127.0.0.1/x")),
            (400, [*WSA_SENDER, "wsa:OnlyAnonymousAddressSupported"]),
        ),
        "the none address": (
            sent(header=addressed("ReplyTo", f"{ADDRESSING}/none")),
            (400, [*WSA_SENDER, "wsa:OnlyAnonymousAddressSupported"]),
        ),
        "another body": (sent(b'<x:fetch xmlns:x="urn:t"/>'), (400, [*WSA_SENDER, "wsa:ActionMismatch"])),
        "two body children": (sent(b'<x:echo xmlns:x="urn:t"/><y/>'), (400, ["env:Sender"])),
        "no body child": (sent(b""), (400, ["env:Sender"])),
        "an unknown header to be understood": (
            sent(header='<h:x xmlns:h="urn:h" e:mustUnderstand="true"/>'),
            (500, ["env:MustUnderstand"]),
        ),
        "a header after the body": (
            sent().replace(b"<e:Header>", b"<e:Body/><e:Header>").replace(b"<e:Body><x", b"<e:Bode><x"),
            (400, ["env:Sender"]),
        ),
        "SOAP 1.1": (sent(namespace="http://schemas.xmlsoap.org/soap/envelope/"), (500, ["env:VersionMismatch"])),
        "a DOCTYPE": (sent().replace(b"?><e:", b"?><!DOCTYPE x><e:"), (400, ["env:Sender"])),
        "a processing instruction": (sent().replace(b"?><e:", b"?><?p q?><e:"), (400, ["env:Sender"])),
        "a wrong encoding": (sent().replace(b'"UTF-8"', b'"ISO-8859-1"'), (400, ["env:Sender"])),
    }.values(),
    ids=lambda value: None,
)
def test_strict_faults(message: bytes, expected: tuple[int, list[str]]) -> None:
    assert fault(simple(message)) == expected


@pytest.mark.parametrize(
    "message",
    [
        sent(),
        sent().replace(b' e:mustUnderstand="1"', b""),
        sent(header=addressed("ReplyTo", f"{ADDRESSING}/anonymous")),
        sent(header='<h:x xmlns:h="urn:h"/>'),
        sent(header='<h:x xmlns:h="urn:h" e:mustUnderstand="1" e:role="urn:somebody:else"/>'),
        sent(
            header=f'<s:Security xmlns:s="{"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"}" e:mustUnderstand="1"/>'
        ),
        sent().replace(b"<a:Action", b"<a:Action\n").replace(ECHO.encode() + b"<", b"  " + ECHO.encode() + b" <"),
        sent().replace(b"UTF-8", b"utf-8").decode().encode("utf-8-sig"),
        sent().replace(b'encoding="UTF-8"', b"").decode().encode("utf-16"),
    ],
)
def test_tolerated_requests_are_answered(message: bytes) -> None:
    answer = simple(message)
    assert answer.status == 200
    assert b"<done>ECHO-1 hi</done>" in text(answer)


def test_the_action_of_the_content_type_agrees_or_is_absent() -> None:
    content_type = 'application/soap+xml; action="%s"'
    assert simple(sent(), content_type=content_type % ECHO).status == 200
    assert fault(simple(sent(), content_type=content_type % STORE)) == (400, [*WSA_SENDER, "wsa:ActionMismatch"])
    assert simple(sent(), content_type=content_type % STORE, wire=DMP).status == 200


@pytest.mark.parametrize(
    ("message", "content_type", "operation_run"),
    [
        (sent(action=None), "application/soap+xml", b"ECHO-1"),
        (sent(action="urn:wrong"), "application/soap+xml", b"ECHO-1"),
        (sent(b'<x:twin xmlns:x="urn:t"/>', TWIN + "2"), "application/soap+xml", b"TWIN-2"),
        (sent(b'<x:twin xmlns:x="urn:t"/>', None), f'application/soap+xml; action="{TWIN}"', b"TWIN-1"),
    ],
)
def test_the_dmp_wire_finds_the_transaction_by_action_then_body(
    message: bytes, content_type: str, operation_run: bytes
) -> None:
    assert b"<done>" + operation_run in text(simple(message, content_type=content_type, wire=DMP))


def test_a_body_that_several_transactions_share_never_decides() -> None:
    assert fault(simple(sent(b'<x:twin xmlns:x="urn:t"/>', None), wire=DMP)) == (400, ["env:Sender"])
    assert fault(simple(sent(b"<unknown/>", "urn:x"), wire=DMP)) == (400, ["env:Sender", "wsa:ActionNotSupported"])


def test_answers_relate_to_the_request() -> None:
    message = sent().replace(b"<a:MessageID>urn:uuid:", b"<a:MessageID>&lt;evil&gt;" + b"x" * 2000)
    answer = text(simple(message))
    root = etree.fromstring(answer)
    related = root.findtext(f".//{{{ADDRESSING}}}RelatesTo") or ""
    assert related.startswith("<evil>x")
    assert len(related) == 1024
    action = root.find(f".//{{{ADDRESSING}}}Action")
    assert action is not None
    assert (action.text, action.get(f"{{{ENVELOPE}}}mustUnderstand")) == (f"{ECHO}Response", "1")


def reason(answer: HttpAnswer) -> str:
    return etree.fromstring(text(answer)).findtext(f".//{{{ENVELOPE}}}Reason/{{{ENVELOPE}}}Text") or ""


def test_an_unknown_action_is_told_beside_those_of_the_endpoint() -> None:
    expected = f"{ECHO}, urn:test:fail, urn:test:fetch, {STORE}, {TWIN}, {TWIN}2"
    for wire, body in ((STRICT, b'<x:echo xmlns:x="urn:t"/>'), (DMP, b"<unknown/>")):
        found = reason(simple(sent(body, "urn:x"), wire=wire))
        assert found == f"wsa:Action: found 'urn:x', expected one of {expected}"


def test_what_does_not_go_together_is_told() -> None:
    other = 'application/soap+xml; action="urn:x"'
    assert reason(simple(sent(), content_type=other)) == (
        f"action of the Content-Type: found 'urn:x', expected the wsa:Action '{ECHO}'"
    )
    fetch_body = b'<x:fetch xmlns:x="urn:t"/>'
    assert reason(simple(sent(fetch_body))) == f"Body: found '{{urn:t}}fetch', expected {{urn:t}}echo with {ECHO}"
    undecided = reason(simple(sent(b'<x:twin xmlns:x="urn:t"/>', None), wire=DMP))
    assert undecided.endswith(f"found the Body '{{urn:t}}twin', expected the wsa:Action one of {TWIN}, {TWIN}2")


def test_a_fault_repeats_little_of_what_was_sent_and_nothing_as_markup() -> None:
    answer = simple(sent(action="&lt;evil&gt;&#10;" + "x" * 5000))
    assert b"<evil>" not in text(answer)
    assert reason(answer).startswith("wsa:Action: found '<evil>?xxx")
    assert len(reason(answer)) < 500


def test_the_status_of_a_senders_fault_may_be_500_and_no_other_changes() -> None:
    statuses = {**HTTP_STATUS, FaultCode.SENDER: 500}
    told = Endpoint(OPERATIONS, wire=STRICT, limits=SoapLimits(), on_error=lambda *_: None, statuses=statuses)

    def answer(message: bytes) -> HttpAnswer:
        return told.answer(HttpRequest(content_type="application/soap+xml", body=io.BytesIO(message), caller_of=nobody))

    assert fault(answer(sent(action="urn:x"))) == (500, ["env:Sender", "wsa:ActionNotSupported"])
    assert fault(answer(b"<a>")) == (500, ["env:Sender"])
    assert answer(sent()).status == 200


def test_a_request_without_message_id_gets_no_relates_to() -> None:
    message = sent()
    start, end = message.index(b"<a:MessageID>"), message.index(b"</a:MessageID>") + len(b"</a:MessageID>")
    assert b"RelatesTo" not in text(simple(message[:start] + message[end:]))


@pytest.mark.parametrize("content_type", ["application/json", "", "multipart/form-data; boundary=b", "text/html"])
def test_another_content_type_is_415(content_type: str) -> None:
    assert simple(sent(), content_type=content_type).status == 415


def test_a_content_encoding_is_415_and_too_much_is_413() -> None:
    request = HttpRequest(
        content_type="application/soap+xml", body=io.BytesIO(sent()), caller_of=nobody, content_encoding="gzip"
    )
    assert endpoint().answer(request).status == 415
    long = HttpRequest(
        content_type="application/soap+xml", body=io.BytesIO(sent()), caller_of=nobody, content_length=10**10
    )
    assert endpoint().answer(long).status == 413
    over = HttpRequest(content_type="application/soap+xml", body=io.BytesIO(b"x" * 2000), caller_of=nobody)
    assert endpoint(root=1000).answer(over).status == 413


def test_an_unexpected_failure_shows_a_correlation_id_and_nothing_else() -> None:
    errors: list[str] = []
    door = endpoint(errors=errors)
    body = sent(b'<x:fail xmlns:x="urn:t"/>', "urn:test:fail")
    answer = door.answer(HttpRequest(content_type="application/soap+xml", body=io.BytesIO(body), caller_of=nobody))
    shown = text(answer)
    assert answer.status == 500
    assert b"env:Receiver" in shown
    assert b"a secret" not in shown
    assert len(errors) == 1
    assert errors[0].endswith(" a secret")
    assert errors[0].split()[0].encode() in shown


# --- MTOM -------------------------------------------------------------------------------------


def include(href: str) -> str:
    return f'<i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="{href}"/>'


def storing(*hrefs: str) -> bytes:
    inside = "".join(f'<d:Document xmlns:d="{XDS_B}">{include(href)}</d:Document>' for href in hrefs)
    return sent(f'<x:store xmlns:x="urn:t">{inside}</x:store>'.encode(), STORE)


def mtom(message: bytes, *, wire: Wire = STRICT, content_type: str | None = None, **limits: int) -> HttpAnswer:
    kind = content_type or messages.multipart_type()
    return endpoint(wire, **limits).answer(HttpRequest(content_type=kind, body=io.BytesIO(message), caller_of=nobody))


def stored(answer: HttpAnswer) -> list[tuple[str, bytes]]:
    body = text(answer)
    assert answer.status == 200, body
    inner = body.partition(b"<stored>")[2].partition(b"</stored>")[0]
    return [(content_id, base64.b64decode(content)) for content_id, content in json.loads(inner)]


def test_parts_reach_the_transaction_and_the_answer_is_mtom() -> None:
    answer = mtom(messages.multipart(storing("cid:a@t", "cid:b@t"), [("a@t", b"\r\n"), ("b@t", b"")]))
    headers = dict(answer.headers)
    assert headers["Content-Type"].startswith("multipart/related")
    assert 'start-info="application/soap+xml"' in headers["Content-Type"]
    body = text(answer)
    assert int(headers["Content-Length"]) == len(body)
    assert b'[["a@t", "DQo="], ["b@t", ""]]' in body


def test_the_root_is_found_by_start_and_parts_before_it_are_kept() -> None:
    whole = messages.multipart(storing("cid:a@t"), [("a@t", b"early")])
    pieces = whole.split(f"--{messages.BOUNDARY}".encode())
    swapped = b"--".join(
        [
            b"",
            messages.BOUNDARY.encode() + pieces[2],
            messages.BOUNDARY.encode() + pieces[1],
            messages.BOUNDARY.encode() + pieces[3],
        ]
    )
    assert stored(mtom(swapped)) == [("a@t", b"early")]
    assert mtom(swapped, before_root=3).status == 413
    without_start = messages.multipart_type().replace('; start="<root@test>"', "")
    assert stored(mtom(whole, content_type=without_start)) == [("a@t", b"early")]
    assert fault(mtom(whole, content_type=messages.multipart_type().replace(ROOT, "nobody")))[0] == 400


@pytest.mark.parametrize(
    "message",
    [
        storing("http://127.0.0.1/x"),
        storing("cid:a@t", "cid:a@t"),
        storing(f"cid:{ROOT}"),
        sent(f'<x:store xmlns:x="urn:t">{include("cid:a@t")}</x:store>'.encode(), STORE),
        sent(b'<x:store xmlns:x="urn:t"/>', STORE, header=include("cid:a@t")),
    ],
    ids=["not cid", "twice", "the root", "not in a Document", "in a header"],
)
def test_an_include_stands_once_in_a_document_and_names_a_part(message: bytes) -> None:
    answer = mtom(messages.multipart(message, [("a@t", b"x")]))
    assert fault(answer) == (400, ["env:Sender"])


def test_a_transaction_is_entered_before_a_document_is_read() -> None:
    whole = messages.multipart(storing("cid:a@t"), [("a@t", b"x" * 10**6)])
    reads: list[int] = []
    at_entry: list[int] = []

    class Body(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            chunk = super().read(size)
            reads.append(len(chunk))
            return chunk

    def entered(message: Message) -> Reply:
        at_entry.append(sum(reads))
        return store(message)

    door = Endpoint(
        [operation("STORE-1", STORE, "{urn:t}store", entered, DOCUMENT)],
        wire=STRICT,
        limits=SoapLimits(),
        on_error=lambda *_: None,
    )
    request = HttpRequest(content_type=messages.multipart_type(), body=Body(whole), caller_of=nobody)
    assert door.answer(request).status == 200
    assert at_entry[0] <= 2 * 64 * 1024 < sum(reads)


def test_a_document_over_its_cap_is_413_and_a_broken_message_a_fault() -> None:
    whole = messages.multipart(storing("cid:a@t"), [("a@t", b"x" * 1000)])
    assert mtom(whole, document=999).status == 413
    assert fault(mtom(whole[:-30])) == (400, ["env:Sender"])
    unread = messages.multipart(sent(), [("a@t", b"x" * 1000)])
    assert mtom(unread).status == 200
    assert fault(mtom(unread[:-30]))[0] == 400


def test_a_simple_request_gets_its_documents_inline() -> None:
    body = sent(b'<x:fetch xmlns:x="urn:t"/>', "urn:test:fetch")
    answer = simple(body)
    assert dict(answer.headers)["Content-Type"].startswith("application/soap+xml")
    assert b"<d>YWJjZA==</d>" in text(answer)


def test_an_mtom_request_to_a_simple_transaction_is_answered_in_mtom() -> None:
    answer = mtom(messages.multipart(sent()))
    assert dict(answer.headers)["Content-Type"].startswith("multipart/related")


def test_a_broken_end_is_found_before_a_transaction_without_documents_runs() -> None:
    ran = []

    def change(_message: Message) -> Reply:
        ran.append(1)
        return Reply(body=b"<changed/>")

    changing = Endpoint(
        (operation("CHANGE-1", ECHO, "{urn:t}echo", change),),
        wire=STRICT,
        limits=SoapLimits(),
        on_error=lambda *_: None,
    )
    whole = messages.multipart(messages.envelope(b'<x:echo xmlns:x="urn:t"/>', ECHO), [("a@b", b"x" * 100_000)])
    for message, status in ((whole, 200), (whole[:-10], 400)):
        request = HttpRequest(content_type=messages.multipart_type(), body=io.BytesIO(message), caller_of=nobody)
        assert changing.answer(request).status == status
    assert ran == [1]


def test_soap_1_1_in_mtom_is_for_the_dmp_wire() -> None:
    old = messages.multipart(sent(namespace="http://schemas.xmlsoap.org/soap/envelope/"))
    assert mtom(old, wire=DMP).status == 200
    assert fault(mtom(old)) == (500, ["env:VersionMismatch"])


def test_labels_of_parts_do_not_matter_to_the_dmp_wire() -> None:
    whole = messages.multipart(sent()).replace(
        b"application/xop+xml; charset=UTF-8", b"application/octet-stream; charset=Cp1252"
    )
    assert mtom(whole, wire=DMP).status == 200
    assert mtom(whole).status == 415


def test_bare_line_feeds_are_for_the_dmp_wire() -> None:
    whole = messages.multipart(storing("cid:a@t"), [("a@t", b"x\r\ny")], eol=b"\n")
    assert stored(mtom(whole, wire=DMP)) == [("a@t", b"x\r\ny")]
    assert mtom(whole).status == 400


def test_threads_share_an_endpoint_without_mixing_answers() -> None:
    door, wrong = endpoint(), []

    def work(thread: int) -> None:
        for number in range(50):
            body = sent(f'<x:echo xmlns:x="urn:t">{thread}-{number}</x:echo>'.encode())
            answer = door.answer(
                HttpRequest(content_type="application/soap+xml", body=io.BytesIO(body), caller_of=nobody)
            )
            if f"<done>ECHO-1 {thread}-{number}</done>".encode() not in text(answer):
                wrong.append((thread, number))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_spyne_runs_the_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    from spyne import Application

    seen = []
    original = Application.process_request
    monkeypatch.setattr(
        Application, "process_request", lambda self, ctx: (seen.append(ctx.descriptor.name), original(self, ctx))[1]
    )
    assert simple(sent()).status == 200
    assert seen == ["echo_1"]


def corpus_index() -> Iterator[dict[str, Any]]:
    index = ROOT_OF_CORPUS / "messages" / "index.json"
    if index.exists():
        yield from json.loads(index.read_text())


@pytest.mark.corpus
@pytest.mark.parametrize(
    "entry", [one for one in corpus_index() if one["form"] == "MIME body"], ids=lambda one: one["file"]
)
@pytest.mark.parametrize("wire", [STRICT, DMP], ids=lambda wire: wire.name)
def test_messages_of_other_makers_are_read(entry: dict[str, Any], wire: Wire) -> None:
    body = Path(ROOT_OF_CORPUS / "messages" / entry["file"]).read_bytes()
    if wire is STRICT:
        body = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    seen: list[tuple[str, bytes]] = []

    def handler(message: Message) -> Reply:
        seen.extend((part.content_id, b"".join(part)) for part in message.parts)
        return Reply(body=b"<ok/>")

    name = f"{{{XDS_B}}}ProvideAndRegisterDocumentSetRequest"
    provide = operation("ITI-41", messages.PROVIDE, name, handler, DOCUMENT)
    door = Endpoint([provide], wire=wire, limits=SoapLimits(), on_error=lambda *_: None)
    answer = door.answer(HttpRequest(content_type=entry["content_type"], body=io.BytesIO(body), caller_of=nobody))
    assert answer.status == 200, text(answer)
    assert bool(seen) == (entry["file"] in ("mtom-xop.body.txt", "mtom-encoded-cid.body.txt"))


class _Slow(io.RawIOBase):
    """A body that breaks off after some octets, once `meanwhile` was called."""

    def __init__(self, octets: bytes, meanwhile: Callable[[], None]) -> None:
        self._chunks, self._meanwhile = [octets[:300_000], octets[300_000:], b""], meanwhile

    def read(self, size: int = -1, /) -> bytes:
        if len(self._chunks) == 2:
            self._meanwhile()
        return self._chunks.pop(0)


@pytest.mark.parametrize("is_mtom", [False, True])
def test_one_large_message_more_than_there_is_room_for_is_refused_until_another_has_ended(is_mtom: bool) -> None:
    """Of the same door or another one; small ones are taken meanwhile."""
    room = LargeMessages(1)
    door, other = (
        Endpoint(OPERATIONS, wire=STRICT, limits=SoapLimits(), on_error=lambda *_: None, large=room) for _ in range(2)
    )
    long = sent(b'<x:echo xmlns:x="urn:t">' + b" " * 600_000 + b"</x:echo>")
    content_type = "application/soap+xml"
    if is_mtom:
        long, content_type = messages.multipart(long), messages.multipart_type()

    def ask(asked: Endpoint, body: Any, kind: str = content_type) -> HttpAnswer:
        return asked.answer(HttpRequest(content_type=kind, body=body, caller_of=nobody))

    beside: list[HttpAnswer] = []

    def meanwhile() -> None:
        beside.append(ask(other, io.BytesIO(long)))
        beside.append(ask(other, io.BytesIO(sent()), "application/soap+xml"))

    assert ask(door, _Slow(long, meanwhile)).status == 200
    assert [one.status for one in beside] == [503, 200]
    assert dict(beside[0].headers)["Retry-After"]
    assert ask(other, io.BytesIO(long)).status == 200


class _Caller:
    """Whose message it is; gone when nothing holds the message any more."""


def test_a_message_is_gone_once_it_is_answered() -> None:
    callers: list[weakref.ref[_Caller]] = []

    def caller_of(_envelope: etree._Element) -> _Caller:
        found = _Caller()
        callers.append(weakref.ref(found))
        return found

    request = HttpRequest(content_type="application/soap+xml", body=io.BytesIO(sent()), caller_of=caller_of)
    door = endpoint()
    gc.disable()
    try:
        assert door.answer(request).status == 200
        assert [one() for one in callers] == [None]
    finally:
        gc.enable()
