"""Attacks on MIME and addressing that are made here: rows M and W of the matrix.

They are sent and watched as those of test_attacks_on_xml.py are.
"""

import gzip
import zlib
from collections.abc import Callable

import pytest

from repository.index import StoredDocument
from repository.registration import other_octets
from tests import messages
from tests.attacks.attack_messages import SECONDS, SECURITY, codes, fault, question
from tests.attacks.conftest import Target
from tests.attacks.doors import SOAP_PATHS, TRANSACTIONS, Answer
from tests.builders import a_submission, an_entry
from xds.ebrim.write import write_submit_objects_request
from xds.errors import ErrorCode
from xds.vocabulary import LCM

XOP = "http://www.w3.org/2004/08/xop/include"


def provided(target: Target, *hrefs: str, parts: list[tuple[str, bytes]] | None = None, header: str = "") -> Answer:
    """ITI-41 whose documents are these includes."""
    entries = [an_entry(entry_uuid=f"D{number}", content=b"x") for number in range(len(hrefs))]
    includes = {
        one.entry_uuid: f'<i:Include xmlns:i="{XOP}" href="{href}"/>' for one, href in zip(entries, hrefs, strict=True)
    }
    root = messages.envelope(messages.provide_body(a_submission(*entries), includes), messages.PROVIDE, header=header)
    message = messages.multipart(root, [("d@test", b"x")] if parts is None else parts)
    return target.doors.post("/xds/repository", message, messages.multipart_type())


@pytest.mark.parametrize(
    "form",
    [
        "{url}",
        "HTTP:{url}",
        "//127.0.0.1/x",
        "ftp://127.0.0.1/x",
        "jar:{url}!/x",
        "data:text/plain,x",
        "{file}",
        "FILE:/etc/passwd",
        "/etc/passwd",
        "../../etc/passwd",
        "",
        " ",
        "#x",
        "cid",
        "CID:d@test",
        "mid:d@test",
    ],
)
def test_m01_m02_only_parts_of_the_message_are_included(target: Target, form: str) -> None:
    answer = provided(target, form.format(url=target.canary.url, file=target.canary.file_url))
    assert (answer.status, fault(answer)) == (400, ["env:Sender"])


@pytest.mark.parametrize(
    "form", ["cid:../../x", "cid:%00", "cid:%2e%2e/%2e%2e/etc/passwd", "cid:", "cid:/etc/passwd", "cid:" + "a" * 10**6]
)
def test_m02_m03_a_part_that_is_not_there_is_a_missing_document(target: Target, form: str) -> None:
    with target.stopwatch.timing(form[:40]):
        answer = provided(target, form)
    assert answer.status == 200
    assert "XDSMissingDocument" in codes(answer)
    assert target.stopwatch.slowest < SECONDS


def test_m04_one_part_stands_for_one_document(target: Target) -> None:
    assert provided(target, "cid:d@test", "cid:d%40test").status == 400
    assert provided(target, "cid:root@test").status == 400
    assert provided(target, *(["cid:d@test"] * 1000), parts=[("d@test", b"x" * 10**6)]).status == 400
    doubled = provided(target, "cid:d@test", parts=[("d@test", b"x"), ("d@test", b"y")])
    assert b"Success" not in doubled.body


@pytest.mark.parametrize("place", ["s:Security", "a:ReplyTo", "a:MessageID", "z:other"])
def test_m05_includes_stand_in_documents_alone(target: Target, place: str) -> None:
    names = f'xmlns:s="{SECURITY}" xmlns:z="urn:z"'
    header = f'<{place} {names}><i:Include xmlns:i="{XOP}" href="cid:d@test"/></{place}>'
    assert provided(target, "cid:d@test", header=header).status == 400


def raw_parts(*parts: bytes, end: bytes = b"--x--\r\n") -> bytes:
    return b"".join(b"--x\r\n" + one + b"\r\n" for one in parts) + end


ROOT_PART = b"Content-Type: application/xop+xml\r\nContent-ID: <root@test>\r\n\r\n" + question()
PARTS = {
    "10^5 parts": raw_parts(ROOT_PART, *([b"\r\n"] * 10**5)),
    "10^4 headers": raw_parts(b"".join(b"X: y\r\n" for _ in range(10**4)) + ROOT_PART),
    "a header of 1 MB": raw_parts(b"X: " + b"y" * 10**6 + b"\r\n" + ROOT_PART),
    "10^4 parts in parts": raw_parts(
        b"".join(b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\n' for _ in range(10**4))
    ),
    "a preamble without end": b"p" * 9_000_000,
    "lines without end": b"\r\n" * 10**6,
    "no end": raw_parts(ROOT_PART, end=b""),
    "half a boundary at the end": raw_parts(ROOT_PART, end=b"--"),
    "a folded header": raw_parts(b"Content-Type: application/xop+xml;\r\n charset=UTF-7\r\n\r\n<x/>"),
    "another transfer encoding": raw_parts(b"Content-Transfer-Encoding: x-uuencode\r\n" + ROOT_PART),
    "two transfer encodings": raw_parts(
        b"Content-Transfer-Encoding: base64\r\nContent-Transfer-Encoding: binary\r\n" + ROOT_PART
    ),
    "a root of another type": raw_parts(b"Content-Type: text/html\r\n\r\n<html/>"),
    "a header of controls": raw_parts(b"Content-ID: <\x00\x1b[31m\r\r\n>\r\n" + ROOT_PART),
}


@pytest.mark.parametrize("name", PARTS)
def test_m06_m07_m08_bombs_and_tricks_of_parts_are_refused_in_time(target: Target, name: str) -> None:
    for path in ("/xds/repository", "/xds/recipient", "/xds/registry"):
        with target.stopwatch.timing(f"{path} {name}"):
            answer = target.doors.post(path, PARTS[name], 'multipart/related; boundary=x; type="application/xop+xml"')
        assert answer.status in (200, 400, 413, 415)


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/related",
        "multipart/related; boundary=",
        f"multipart/related; boundary={'x' * 10_000}",
        'multipart/related; boundary="a\r\nb"',
        "multipart/form-data; boundary=x",
        'multipart/related; boundary=x; type="text/html"',
        "multipart/related; boundary=x; start=<gone@test>",
        "multipart/related; boundary=x; boundary=y",
        "text/plain",
        "",
        ";",
        "application/soap+xml; charset=UTF-7",
    ],
)
def test_m09_other_content_types_are_refused(target: Target, kind: str) -> None:
    answer = target.doors.post("/xds/repository", raw_parts(ROOT_PART), kind)
    assert answer.status in (400, 415)


@pytest.mark.parametrize(
    ("coding", "made"),
    [
        ("gzip", lambda: gzip.compress(bytes(10**7))),
        ("gzip", lambda: gzip.compress(gzip.compress(bytes(10**7)))),
        ("deflate", lambda: zlib.compress(bytes(10**7))),
        ("gzip", lambda: gzip.compress(question())[:-9]),
        ("br", lambda: b"x"),
        ("gzip, gzip", lambda: b"x"),
        ("x" * 5000, lambda: b"x"),
    ],
)
def test_m10_compressed_messages_are_not_taken(target: Target, coding: str, made: Callable[[], bytes]) -> None:
    octets = made()
    for path in SOAP_PATHS:
        answer = target.doors.post(path, octets, messages.simple_type(), content_encoding=coding)
        assert answer.status == 415


def test_m13_octets_of_the_same_sha_1_and_size_are_others() -> None:
    def stored(sha256: str) -> StoredDocument:
        return StoredDocument(
            unique_id="1.2.3", size=320, sha1="d" * 40, sha256=sha256, blob_key=f"{sha256}/x", mime_type="text/plain"
        )

    errors = list(other_octets({"urn:uuid:x": stored("a" * 64)}, [stored("b" * 64)]))
    assert [one.code for one in errors] == [ErrorCode.NON_IDENTICAL_HASH]
    assert not list(other_octets({"urn:uuid:x": stored("a" * 64)}, [stored("a" * 64)]))


@pytest.mark.parametrize("header", ["ReplyTo", "FaultTo"])
@pytest.mark.parametrize(
    "form",
    [
        "{url}",
        "https://other.example/",
        "http://169.254.169.254/latest/",
        "{file}",
        "http://[::1]/",
        "http://2130706433/",
        "http://user@127.0.0.1/",
        "http://www.w3.org/2005/08/addressing/none",
        "http://www.w3.org/2005/08/addressing/anonymous/x",
        "x",
    ],
)
def test_w01_answers_go_nowhere_else(target: Target, header: str, form: str) -> None:
    address = form.format(url=target.canary.url, file=target.canary.file_url)
    answer = target.doors.simple(
        "/xds/registry", question(header=f"<a:{header}><a:Address>{address}</a:Address></a:{header}>")
    )
    assert (answer.status, fault(answer)) == (
        400,
        ["env:Sender", "wsa:InvalidAddressingHeader", "wsa:OnlyAnonymousAddressSupported"],
    )


_BODIES = {
    "ITI-18": messages.query_body(messages.FIND_DOCUMENTS, {}),
    "ITI-43": messages.retrieve_body(("1.2", "1.3")),
    "ITI-62": f'<l:RemoveObjectsRequest xmlns:l="{LCM}"/>'.encode(),
    "ITI-42": write_submit_objects_request(a_submission(an_entry(content=b"x")).objects),
}


@pytest.mark.parametrize("transaction", _BODIES)
@pytest.mark.parametrize("other", [*_BODIES, "ITI-86", "none", "nothing", "long"])
def test_w02_an_action_with_the_body_of_another_runs_neither(target: Target, transaction: str, other: str) -> None:
    path, own = TRANSACTIONS[transaction]
    actions = {"none": "", "nothing": "urn:x", "long": "x" * 10_000}
    action = actions[other] if other in actions else TRANSACTIONS[other][1]
    if other == transaction:
        return
    for named, told in ((action, ""), (own, action or "urn:y"), (action or "urn:y", own)):
        answer = target.doors.post(path, messages.envelope(_BODIES[transaction], named), messages.simple_type(told))
        assert (answer.status, fault(answer)[0]) == (400, "env:Sender"), (named, told)


@pytest.mark.parametrize("name", ["To", "MessageID", "Action", "ReplyTo", "From"])
def test_w03_a_header_stands_once(target: Target, name: str) -> None:
    inside = (
        "<a:Address>http://www.w3.org/2005/08/addressing/anonymous</a:Address>"
        if name in ("ReplyTo", "From")
        else "urn:x"
    )
    answer = target.doors.simple("/xds/registry", question(header=f"<a:{name}>{inside}</a:{name}>" * 2))
    assert (answer.status, fault(answer)[-1]) == (400, "wsa:InvalidCardinality")


def test_w03_an_answer_repeats_little_and_no_markup(target: Target) -> None:
    message = question(
        header="<a:ReplyTo><a:Address>http://www.w3.org/2005/08/addressing/anonymous</a:Address><a:ReferenceParameters><s:Security xmlns:s='x'>secret</s:Security></a:ReferenceParameters></a:ReplyTo>"
    )
    start, end = message.index(b"<a:MessageID>") + 13, message.index(b"</a:MessageID>")
    long = target.doors.simple("/xds/registry", message[:start] + b"m" * 10**6 + message[end:])
    marked = target.doors.simple("/xds/registry", message[:start] + b"&lt;/x&gt;&amp;" + message[end:])
    assert long.body.count(b"m" * 1025) == 0
    assert b"<wsa:RelatesTo>&lt;/x&gt;&amp;</wsa:RelatesTo>" in marked.body
    assert b"secret" not in long.body + marked.body
