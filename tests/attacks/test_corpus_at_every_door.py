"""Every attack of the corpus at every door it fits: an answer of the closed list, in time, and nothing else happens.

Rows X01 to X09, X12, X14, M06 to M09, F01, F02, F07, F09, C01 of the matrix, and every set of the corpus.
"""

import hashlib
from collections.abc import Callable
from urllib.parse import quote_from_bytes
from xml.sax.saxutils import escape

import pytest

from tests import messages
from tests.attacks.conftest import Target
from tests.attacks.corpus import aimed, sets
from tests.attacks.doors import SOAP_PATHS, TRANSACTIONS, Answer, Doors
from tests.builders import PATIENT
from tests.mllp import adt

pytestmark = pytest.mark.corpus
Way = Callable[[Doors, bytes], Answer]

_SIMPLE: dict[str, Way] = {path: lambda doors, octets, path=path: doors.simple(path, octets) for path in SOAP_PATHS}  # type: ignore[misc]
_INSIDE: dict[str, Way] = {
    name: lambda doors, octets, name=name: doors.inside(name, octets)  # type: ignore[misc]
    for name in TRANSACTIONS
}
_PARTS: dict[str, Way] = {
    f"multipart {path}": lambda doors, octets, path=path: doors.multipart(path, octets)  # type: ignore[misc]
    for path in ("/xds/repository", "/xds/recipient", "/xds/registry")
}
_PROOFS: dict[str, Way] = {"token": Doors.token, "assertion": Doors.assertion}
_DOCUMENT: dict[str, Way] = {"cda check": Doors.check}
_RESOURCES = ("", "/DocumentReference", "/Patient", "/Subscription", "/DocumentReference/$generate-metadata")
_SEARCHED = ("DocumentReference", "List", "Patient", "AuditEvent")


def _fhir(method: str, path: str, content_type: str) -> Way:
    return lambda doors, octets: doors.fhir(method, f"/fhir{path}", octets, content_type=content_type)


def _taking(kind: str, patch: str) -> dict[str, Way]:
    """Every place of the FHIR door that takes resources, or patches, of this kind: `json` or `xml`."""
    ways = {f"POST /fhir{path} {kind}": _fhir("POST", path, f"application/fhir+{kind}") for path in _RESOURCES}
    for content_type in (f"application/fhir+{kind}", patch):
        ways[f"PATCH {content_type}"] = _fhir("PATCH", "/DocumentReference/1", content_type)
    return ways


_FHIR_XML = _taking("xml", "application/xml-patch+xml")
_FHIR: dict[str, Way] = {
    **_taking("json", "application/json-patch+json"),
    **{
        f"search {name} by POST": _fhir("POST", f"/{name}/_search", "application/x-www-form-urlencoded")
        for name in _SEARCHED
    },
}
_FEED: dict[str, Way] = {"feed": Doors.message}
_XML = {**_SIMPLE, **_INSIDE, "root part": Doors.root, **_FHIR_XML, **_PROOFS, **_DOCUMENT, **_FEED}
_JSON = {**_FHIR, **_SIMPLE, "token": Doors.token, **_FEED}
_MIME = {**_PARTS, **_SIMPLE, **_FEED}
_HTTP = {**_MIME, **_FHIR}
WAYS: dict[str, dict[str, Way]] = {
    **dict.fromkeys(("xml-malformed", "xml-bombs", "xml-fuzz-seeds", "xxe-payloads", "xslt"), _XML),
    **dict.fromkeys(("c14n", "xmldsig", "saml", "cda-xss"), _XML),
    "fhir-bad": {**_FHIR, **_FHIR_XML, **_DOCUMENT, **_SIMPLE, **_FEED},
    **dict.fromkeys(("json", "json-fuzz-seeds"), _JSON),
    **dict.fromkeys(("mime", "mime-fuzz-seeds", "mtom"), _MIME),
    **dict.fromkeys(("http", "http-fuzz-seeds"), _HTTP),
    "histories": {**_FHIR, **_SIMPLE},
}


@pytest.mark.parametrize(
    ("name", "way"), [(name, way) for name, ways in WAYS.items() for way in ways], ids=lambda one: str(one)
)
def test_every_file_gets_an_answer_of_the_closed_list(target: Target, name: str, way: str) -> None:
    for file, octets in sets()[name]:
        with target.stopwatch.timing(f"{way} {name} {file}"):
            WAYS[name][way](target.doors, octets)


@pytest.mark.usefixtures("corpus")
def test_no_set_of_the_corpus_is_left_out() -> None:
    assert sets().keys() == WAYS.keys() | {"strings"}
    assert sum(map(len, sets().values())) > 3_000


@pytest.mark.parametrize("way", _XML)
def test_attacks_that_are_aimed_at_the_canary_do_not_reach_it(target: Target, way: str) -> None:
    """X01, X02, X05, X14: the same documents with addresses where something listens."""
    sent = 0
    for name in ("xxe-payloads", "xslt", "xml-bombs", "cda-xss", "saml"):
        for file, octets in sets()[name]:
            lines = octets.splitlines() if name == "xxe-payloads" else [octets]
            for line in lines:
                for aimed_at_us in aimed(line, target.canary.url, target.canary.file_url):
                    with target.stopwatch.timing(f"{way} {name} {file}"):
                        _XML[way](target.doors, aimed_at_us)
                    sent += 1
    assert sent > 100


def _search(doors: Doors, octets: bytes) -> Answer:
    patient = f"patient.identifier=urn:oid:{PATIENT.authority}|{PATIENT.id}"
    return doors.fhir("GET", "/fhir/DocumentReference", query=f"{patient}&type={quote_from_bytes(octets)}")


def _text(octets: bytes) -> str:
    """What XML can say of it."""
    return "".join(one for one in octets.decode("utf-8", "replace") if one.isprintable() or one == "\t")


def _query(parameter: str) -> Way:
    def ask(doors: Doors, octets: bytes) -> Answer:
        slots = {
            "$XDSDocumentEntryPatientId": f"'{PATIENT}'",
            "$XDSDocumentEntryStatus": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
            parameter: "('" + _text(octets).replace("'", "''") + "')",
        }
        return doors.inside("ITI-18", messages.query_body(messages.FIND_DOCUMENTS, slots))

    return ask


def _retrieve(doors: Doors, octets: bytes) -> Answer:
    return doors.inside("ITI-43", messages.retrieve_body(("1.2.3", escape(_text(octets)))))


def _patient(doors: Doors, octets: bytes) -> Answer:
    return doors.message(adt("A04", f"{octets.decode('utf-8', 'replace')}^^^&1.2.3&ISO").encode())


def _agent(doors: Doors, octets: bytes) -> Answer:
    return doors.post(
        "/xds/registry", b"<x/>", messages.simple_type(octets.decode("latin-1")), user_agent=octets.decode("latin-1")
    )


LINES: dict[str, Way] = {
    "a search parameter": _search,
    "the path of a resource": lambda doors, octets: doors.fhir("GET", "/fhir/Binary/" + octets.decode("latin-1")),
    "a code that is asked for": _query("$XDSDocumentEntryTypeCode"),
    "an author that is asked for": _query("$XDSDocumentEntryAuthorPerson"),
    "a document that is retrieved": _retrieve,
    "the id of a patient": _patient,
    "headers": _agent,
    "a token": Doors.token,
}


@pytest.mark.parametrize("way", LINES)
def test_x12_m18_every_naughty_string_gets_an_answer_of_the_closed_list(target: Target, way: str) -> None:
    """Nothing is found, nothing is an error of the server, nothing of it is taken for a command."""
    for file, line in sets()["strings"]:
        with target.stopwatch.timing(f"{way} {file} {line[:40]!r}"):
            answer = LINES[way](target.doors, line)
        assert b"ExtrinsicObject" not in answer.body
        assert b'"DocumentReference"' not in answer.body


@pytest.mark.parametrize("name", [*WAYS, "strings"])
def test_every_file_is_kept_as_it_came_when_it_is_a_document(target: Target, name: str) -> None:
    """X01, C01: a document is octets, whatever a reader of CDA thinks of it; fifty to a submission."""
    contents = sets()[name]
    for start in range(0, len(contents), 50):
        some = contents[start : start + 50]
        with target.stopwatch.timing(f"documents {name} {some[0][0]} and those after it"):
            answer = target.doors.documents([octets for _, octets in some])
        assert b"ResponseStatusType:Success" in answer.body, answer
    kept = stored(target)
    assert all(hashlib.sha256(octets).hexdigest() in kept for _, octets in contents)


def stored(target: Target) -> set[str]:
    """The SHA-256 of every file below the folder of documents."""
    files = (one for one in (target.folder / "open" / "documents").rglob("*") if one.is_file())
    return {hashlib.sha256(one.read_bytes()).hexdigest() for one in files}
