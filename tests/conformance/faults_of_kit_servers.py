"""One fault for each requirement on servers that the NIST XDS kit or the FHIR kit judges, and the tests that show it."""

import hashlib
import re
from collections.abc import Callable

from conformance.client.behaviours import refused
from conformance.client.http_reading import Ask
from conformance.client.received import Received
from tests.conformance.faulty_servers import Act, Fault, Next, Place, answering, has, is_query, resized, rewriting

_REGISTER = "urn:ihe:iti:2007:RegisterDocumentSet-b<"
_UPDATE, _RESTRICTED = "urn:ihe:iti:2010:UpdateDocumentSet<", "urn:ihe:iti:2018:RestrictedUpdateDocumentSet<"
_SUBMISSION_SETS, _WITH_ASSOCIATIONS, _SEVERAL_PATIENTS = (
    "urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9",
    "urn:uuid:bab9529a-4a10-40b3-a01f-f68a615d247a",
    "urn:uuid:3d1bdb10-39a2-11de-89c2-2f44d94eaa9f",
)
_PATIENTS = (b"58a6f841-87b3-4a3e-92fd-a8ffeff98427", b"6b5aea1a-874d-4603-a4bc-96a0a7b38446")
_ON_DEMAND, _STABLE = "34268e47-fdf5-41a6-ba33-82133c465248", "7edca82f-054d-47f2-a032-9b2a5b5186c1"
_FAILURE = b"ResponseStatusType:Failure"
_ENTRY = b"<[^>]*ExtrinsicObject "


def _done(ask: Ask, status: bytes = b"Success") -> bytes:
    """Nothing is done, and the answer says this status in the form that its transaction asks for."""
    answer = refused(ask, Received.of(ask.octets), lambda _: b"")
    told = b"ResponseStatusType:" + status
    return resized(
        answer, lambda body: re.sub(rb"<rs:RegistryErrorList>.*?<[^>]*List>", b"", body).replace(_FAILURE, told)
    )


def _said_done(is_meant: Callable[[Ask], bool]) -> Act:
    return lambda ask, following, place: _done(ask) if is_meant(ask) else following(ask)


def _finding_nothing(query: str) -> Act:
    """A stored query that always has an empty answer."""
    return rewriting(has(query), r"<rim:RegistryObjectList>.*</rim:RegistryObjectList>", "<rim:RegistryObjectList/>")


def _entries(ask: Ask) -> int:
    return len(re.findall(_ENTRY, ask.body))


def _several_refused(ask: Ask, following: Next, place: Place) -> bytes:
    is_meant = has("POST /xds/recipient")(ask) and _entries(ask) > 1
    return _done(ask, b"Failure") if is_meant else following(ask)


def _has_another_hash(ask: Ask) -> bool:
    """A hash that none of the documents of the message has."""
    told = re.findall(rb'name="hash".*?Value>([0-9a-f]+)<', ask.body, re.DOTALL)
    documents = {hashlib.sha1(one.content).hexdigest().encode() for one in Received.of(ask.octets).parts}
    return has("ProvideAndRegister")(ask) and any(one not in documents for one in told)


def _is_about_two(ask: Ask) -> bool:
    """Document and submission name different patients."""
    found = re.findall(rb"<[^>]*ExternalIdentifier [^>]+>", ask.body)
    told = {re.search(rb'value="([^"]+)"', one)[1] for one in found if any(each in one for each in _PATIENTS)}  # type: ignore[index]
    return has(_REGISTER)(ask) and len(told) > 1


def _is_known_already(ask: Ask, following: Next, place: Place) -> bytes:
    """A document that was registered before is not registered again."""
    identifiers = re.findall(rb'value="([^"]+)" identificationScheme="urn:uuid:2e82c1f6', ask.body)
    identifiers += re.findall(rb'identificationScheme="urn:uuid:2e82c1f6[^"]+"[^>]* value="([^"]+)"', ask.body)
    known: set[bytes] = place.state.setdefault("registered", set())
    is_again = has(_REGISTER)(ask) and bool(known & set(identifiers))
    known |= set(identifiers) if has(_REGISTER)(ask) else set()
    return _done(ask, b"Failure") if is_again else following(ask)


def _exchanged(ask: Ask, following: Next, place: Place) -> bytes:
    """Of two documents in one answer each has the octets of the other."""
    answer = following(ask)
    contents = [one.content for one in Received.of(answer).parts] if has("RetrieveDocumentSetRequest")(ask) else []
    if len(contents) != 2:
        return answer
    first, second = contents
    swapped = re.compile(re.escape(first) + b"|" + re.escape(second))
    return resized(answer, lambda body: swapped.sub(lambda one: second if one[0] == first else first, body))


def _told(status: bytes, *words: str) -> Act:
    """An OperationOutcome under this status of HTTP for requests with these words."""
    outcome = b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-supported"}]}'
    head = b"HTTP/1.1 %s\r\nContent-Type: application/fhir+json\r\nContent-Length: %d\r\n\r\n"
    return answering(has(*words), head % (status, len(outcome)) + outcome)


def _fault(requirement: str, tests: str, what: str, act: Act) -> Fault:
    return Fault(requirement=f"SERVER-{requirement}", what=what, act=act, tests=tuple(tests.split(" ")))


KIT_FAULTS: tuple[Fault, ...] = (
    _fault(
        "XDS-01",
        "12373",
        "refuses several documents at once by XDR",
        _several_refused,
    ),
    _fault("XDS-02", "12369", "does not compare hashes", _said_done(_has_another_hash)),
    _fault("XDS-03", "12021", "exchanges two documents it returns at once", _exchanged),
    _fault("XDS-04", "12004", "registers no document a second time", _is_known_already),
    _fault("XDS-05", "11997", "takes a document of another patient than its submission", _said_done(_is_about_two)),
    _fault(
        "XDS-06",
        "11998a",
        "takes entries without languageCode",
        _said_done(lambda ask: has(_REGISTER)(ask) and _entries(ask) == 1 and b"languageCode" not in ask.body),
    ),
    _fault(
        "XDS-07",
        "12370",
        "loses the documentation of associations",
        rewriting(is_query, r'nodeRepresentation="Additional_Information"', 'nodeRepresentation="0"'),
    ),
    _fault(
        "XDS-08",
        "12323",
        "dates folders in another century",
        rewriting(is_query, r'(name="lastUpdateTime".{1,80}?Value>)\d\d', r"\g<1>19"),
    ),
    _fault("XDS-09", "11898", "finds no submissions", _finding_nothing(_SUBMISSION_SETS)),
    _fault("XDS-10", "11904", "gives no document with its associations", _finding_nothing(_WITH_ASSOCIATIONS)),
    _fault("XDS-11", "12364", "finds nothing of several patients", _finding_nothing(_SEVERAL_PATIENTS)),
    _fault("XDS-12", "15800", "says Success to updates and changes nothing", _said_done(has(_UPDATE))),
    _fault("XDS-13", "40000", "says Success to restricted updates and changes nothing", _said_done(has(_RESTRICTED))),
    _fault(
        "XDS-14",
        "30002",
        "says Success to the removal of metadata and removes nothing",
        _said_done(has("RemoveObjectsRequest")),
    ),
    _fault(
        "XDS-15",
        "50000",
        "says Success to the removal of documents and removes nothing",
        _said_done(has("RemoveDocumentsRequest")),
    ),
    _fault(
        "XDS-16",
        "15805",
        "returns on-demand entries as stable ones",
        rewriting(is_query, _ON_DEMAND, _STABLE),
    ),
    _fault(
        "XDS-17",
        "12376",
        "takes limited metadata that say nothing of it",
        _said_done(lambda ask: has("POST /xds/recipient")(ask) and b"languageCode" not in ask.body),
    ),
    _fault(
        "MHD-01",
        "comprehensive/1_ comprehensive/Missing_TypeCode",
        "refuses Bundles with comprehensive metadata",
        _told(b"400 Bad Request", "POST /fhir", "IHE.MHD.Comprehensive.ProvideBundle"),
    ),
    _fault(
        "MHD-02",
        "minimal/1_ minimal/Missing_MimeType",
        "refuses Bundles with minimal metadata",
        _told(b"400 Bad Request", "POST /fhir", "IHE.MHD.Minimal.ProvideBundle"),
    ),
    _fault(
        "MHD-03",
        "Regression/exception-handling Foundation/metadata",
        "answers 200 to a path that it does not have",
        _told(b"200 OK", "GET /fhir/unknownRoute"),
    ),
)
