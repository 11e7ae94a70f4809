"""Every door of a server in this process, and the closed list of what may come out of each.

The applications are called as the HTTP server calls them, without its sockets; the identity feed is a real port.
"""

import base64
import io
import json
import mimetypes
import re
import socket
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote
from wsgiref.types import WSGIApplication

import structlog
from lxml import etree

from access_policy.security_header import WSSE
from carnet.application import application
from carnet.audit_wiring import started_audit
from carnet.mllp_door import Attendant, open_port
from carnet.pki import Use
from carnet.record_services import record_operations
from carnet.refused_handshakes import RefusedHandshakes
from carnet.settings import Settings
from carnet.wiring import Actors, open_actors
from cda.rule_packs import RuleSet, own_rules_of_layers
from cda.validate import check_bytes
from subscriptions.dsub import SUBSCRIBE
from subscriptions.dsub_filters import WSNT
from tests import messages, mutual_tls, servers
from tests.builders import OTHER_PATIENT, PATIENT, a_submission, an_entry
from xds.vocabulary import LCM, QUERY, RS, XDS_B

PLAIN = frozenset({404, 405, 408, 411, 413, 415, 429, 431})
FAULTS = {
    400: frozenset({"Sender"}),
    500: frozenset({"MustUnderstand", "VersionMismatch", "DataEncodingUnknown"}),
}


def record_answers() -> Iterator[str]:
    """What the services of records answer, by the names of their messages. DMP 3"""
    for one in record_operations():
        name = one.body.removeprefix("{urn:hl7-org:v3}")
        yield f"{{asip:ci-sis:gdp:2010}}{name}_Response" if name != one.body else f"{one.body}Response"


ANSWERS = frozenset(
    {
        f"{{{RS}}}RegistryResponse",
        f"{{{QUERY}}}AdhocQueryResponse",
        f"{{{XDS_B}}}RetrieveDocumentSetResponse",
        "{urn:hl7-org:v3}MCCI_IN000002UV01",
        *(f"{{urn:hl7-org:v3}}PRPA_IN2013{number:02}UV02" for number in (6, 8, 12, 13, 15, 16)),
        *record_answers(),
        f"{{{WSNT}}}SubscribeResponse",
        f"{{{WSNT}}}UnsubscribeResponse",
    }
)
LEAKS = (b"Traceback", b"unexpected failure", b'File "/', b"lxml.", b"sqlalchemy", b"the canary sang", b"root:x:0:")
TOLD = "http://127.0.0.1:9/told"  # nothing is sent: these doors have no dispatcher
SOAP_PATHS = (
    *("/xds/registry", "/xds/repository", "/xds/patients", "/xds/recipient"),
    *("/xds/subscriptions", "/xds/habilitations"),
)
TRANSACTIONS = {
    "ITI-18": ("/xds/registry", messages.QUERY_ACTION),
    "ITI-42": ("/xds/registry", messages.REGISTER),
    "ITI-51": ("/xds/registry", "urn:ihe:iti:2009:MultiPatientStoredQuery"),
    "ITI-57": ("/xds/registry", messages.UPDATE),
    "ITI-61": ("/xds/registry", messages.ON_DEMAND),
    "ITI-62": ("/xds/registry", messages.REMOVE_METADATA),
    "ITI-92": ("/xds/registry", messages.RESTRICTED_UPDATE),
    "ITI-41": ("/xds/repository", messages.PROVIDE),
    "ITI-43": ("/xds/repository", messages.RETRIEVE),
    "ITI-86": ("/xds/repository", messages.REMOVE),
    "XDR": ("/xds/recipient", messages.PROVIDE),
    "ITI-44": ("/xds/patients", "urn:hl7-org:v3:PRPA_IN201301UV02"),
    "ITI-52": ("/xds/subscriptions", SUBSCRIBE),
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back from a door: the status is 0 where there is no HTTP."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Doors:
    """`open_app` asks nobody, nor does `fed_app`, which takes patients by FHIR, `proved_app` wants an assertion; `feed` is the port of the identity feed."""

    actors: Actors
    open_app: WSGIApplication
    fed_app: WSGIApplication
    proved_app: WSGIApplication
    feed: int
    rules: RuleSet

    def post(self, path: str, octets: bytes, content_type: str, **headers: str) -> Answer:
        return soap(call(self.open_app, "POST", path, octets, content_type=content_type, headers=headers))

    def simple(self, path: str, octets: bytes) -> Answer:
        """The octets are the whole message."""
        return self.post(path, octets, messages.simple_type())

    def inside(self, transaction: str, octets: bytes) -> Answer:
        """The octets are what the body of an envelope holds, as far as they can be inside one."""
        path, action = TRANSACTIONS[transaction]
        return self.post(path, messages.envelope(octets, action), messages.simple_type(action))

    def root(self, octets: bytes) -> Answer:
        """The octets are the root part of an MTOM message."""
        return self.post("/xds/repository", messages.multipart(octets), messages.multipart_type())

    def multipart(self, path: str, octets: bytes) -> Answer:
        """The octets are the parts; what the first of their lines that can be one says is the boundary."""
        found = re.search(rb"^--([!-~]{1,70}?)(?:--)?\r?$", octets, re.MULTILINE)
        boundary = found[1].decode() if found else messages.BOUNDARY
        return self.post(path, octets, f'multipart/related; boundary="{boundary}"; type="application/xop+xml"')

    def documents(self, contents: Sequence[bytes]) -> Answer:
        """The octets are documents of one submission, each checked as a CDA and stored."""
        numbered = [(f"Document{number:05}", octets) for number, octets in enumerate(contents)]
        entries = [an_entry(entry_uuid=name, content=octets, mime_type="text/xml") for name, octets in numbered]
        includes = {name: messages.include(f"{name}@test") for name, _ in numbered}
        root = messages.envelope(messages.provide_body(a_submission(*entries), includes), messages.PROVIDE)
        message = messages.multipart(root, [(f"{name}@test", octets) for name, octets in numbered])
        return self.post("/xds/repository", message, messages.multipart_type())

    def fhir(self, method: str, path: str, octets: bytes = b"", query: str = "", **headers: str) -> Answer:
        """A query has no other octets than a request line may have: the HTTP server sees to that."""
        kind = headers.pop("content_type", "application/fhir+json")
        query = re.sub(r"[^!-~]", lambda found: quote(found[0], encoding="latin-1"), query)
        return fhir(call(self.open_app, method, path, octets, content_type=kind, query=query, headers=headers))

    def patient(self, method: str, path: str, octets: bytes) -> Answer:
        """The octets are a Patient, where they are fed by FHIR."""
        return fhir(call(self.fed_app, method, path, octets, content_type="application/fhir+json"))

    def token(self, octets: bytes) -> Answer:
        """The octets are an assertion in the token of a FHIR request; nobody has to be believed with the open one."""
        bearer = "Bearer " + base64.urlsafe_b64encode(octets).decode()
        answer = call(self.proved_app, "GET", "/fhir/DocumentReference", b"", headers={"AUTHORIZATION": bearer})
        assert answer.status == 401, answer
        fhir(call(self.open_app, "GET", "/fhir/DocumentReference", b"", headers={"AUTHORIZATION": bearer}))
        return fhir(answer)

    def assertion(self, octets: bytes) -> Answer:
        """The octets are what the security header holds."""
        header = b'<w:Security xmlns:w="%s">%s</w:Security></e:Header>' % (WSSE.encode(), octets)
        message = messages.envelope(b"<x/>", messages.QUERY_ACTION).replace(b"</e:Header>", header)
        kind = messages.simple_type(messages.QUERY_ACTION)
        answer = call(self.proved_app, "POST", "/xds/registry", message, content_type=kind)
        assert answer.status == 400, answer
        self.post("/xds/registry", message, kind)
        return soap(answer)

    def message(self, octets: bytes) -> Answer:
        """The octets are a message of the identity feed."""
        with socket.create_connection(("127.0.0.1", self.feed), timeout=20) as connection:
            connection.sendall(b"\x0b" + octets + b"\x1c\r")
            connection.shutdown(socket.SHUT_WR)
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
        return acknowledged(received)

    def check(self, octets: bytes) -> Answer:
        """The octets are a file that `carnet cda check` looks at."""
        report = check_bytes(octets, self.rules)
        told = "\n".join(str(finding) for finding in report.findings).encode()
        return without_leaks(Answer(status=0, content_type="", body=told if len(octets) < 2**20 else b""))


def call(
    app: WSGIApplication,
    method: str,
    path: str,
    octets: bytes,
    *,
    content_type: str = "",
    query: str = "",
    headers: Mapping[str, str] = {},
) -> Answer:
    """One request, as an HTTP server that has read its head hands it over."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(octets)),
        "wsgi.input": io.BytesIO(octets),
        "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
    }
    begun: list[tuple[str, list[tuple[str, str]]]] = []

    def start(status: str, found: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        begun.append((status, found))
        return lambda _: None

    chunks = app(environ, start)
    try:
        body = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    status, found = begun[-1]
    kinds = {name.lower(): value for name, value in found}
    return Answer(status=int(status.split()[0]), content_type=kinds.get("content-type", ""), body=body)


class Alarms:
    """A log that keeps what went wrong unforeseen and drops the rest."""

    def __init__(self) -> None:
        self.raised: list[str] = []

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> NoReturn:
        if event.get("exc_info") or event["event"].startswith("unexpected"):
            self.raised.append(str(event))
        raise structlog.DropEvent


@contextmanager
def alarmed() -> Iterator[Alarms]:
    alarms = Alarms()
    structlog.configure(processors=[alarms])
    try:
        yield alarms
    finally:
        structlog.reset_defaults()


def without_leaks(answer: Answer) -> Answer:
    for leak in LEAKS:
        assert leak not in answer.body, answer
    return answer


def soap(answer: Answer) -> Answer:
    """The answer, which is of the closed list of SOAP, its body of the kind that it says it is."""
    without_leaks(answer)
    if answer.status in PLAIN or (answer.status == 400 and answer.content_type.startswith("text/plain")):
        assert answer.content_type.startswith("text/plain"), answer
        return answer
    body = _envelope(answer).find(f"{{{messages.ENVELOPE}}}Body")
    assert body is not None
    assert len(body) == 1, answer
    if answer.status == 200:
        assert body[0].tag in ANSWERS, answer
    else:
        code = str(body[0].findtext(f"{{{messages.ENVELOPE}}}Code/{{{messages.ENVELOPE}}}Value"))
        assert code.rpartition(":")[2] in FAULTS.get(answer.status, frozenset()), answer
    return answer


def _envelope(answer: Answer) -> etree._Element:
    response = servers.Response(status=answer.status, headers={"content-type": answer.content_type}, body=answer.body)
    return messages.read(response).envelope


def fhir(answer: Answer) -> Answer:
    """The answer, which is of the closed list of FHIR."""
    without_leaks(answer)
    assert 200 <= answer.status < 500, answer
    if answer.status >= 400:
        assert answer.content_type.startswith("application/fhir+json"), answer
        assert json.loads(answer.body)["resourceType"] == "OperationOutcome", answer
    return answer


def acknowledged(received: bytes) -> Answer:
    """What came back over MLLP: nothing, or acknowledgements that refuse or accept."""
    answer = without_leaks(Answer(status=0, content_type="", body=received))
    if received:
        assert received.startswith(b"\x0bMSH|"), answer
        assert received.endswith(b"\x1c\r"), answer
        assert set(re.findall(rb"\rMSA\|(\w\w)", received)) <= {b"AA", b"AE", b"AR"}, answer
    return answer


@contextmanager
def opened(folder: Path) -> Iterator[Doors]:
    """The doors of three applications on data below the folder, all with audit; the patients of the tests are known.

    Those that ask nobody read by the letter, the one that wants assertions as the DMP does.
    """
    pki = mutual_tls.a_pki(folder / "pki")
    client = pki.card[Use.AUTHENTICATION].der
    given = {
        "audit": "on",
        "cda_validity": "warn",
        "cda_agreement": "warn",
        "check_codes": False,
        "notification_targets": TOLD,
    }
    plain = servers.settings_for(folder / "open", mllp="127.0.0.1:0", wire="strict", **given)
    fed = servers.settings_for(folder / "fed", domain="ihe", audit="on")
    proved = servers.settings_for(folder / "proved", security="mtls", trust=str(pki.trust))
    with ExitStack() as stack:
        actors = stack.enter_context(_audited(plain))
        asking = stack.enter_context(_audited(proved))
        servers.know_patients(plain, PATIENT, OTHER_PATIENT)
        yield Doors(
            actors=actors,
            open_app=application(actors),
            fed_app=application(stack.enter_context(_audited(fed))),
            proved_app=application(asking, lambda _: client),
            feed=stack.enter_context(_feeding(plain, actors)),
            rules=own_rules_of_layers(),
        )


def warm(doors: Doors) -> None:
    """One question at every door: what a server loads once is no leak, nor is what a library of its reads of the system."""
    mimetypes.init()
    for path in SOAP_PATHS:
        doors.simple(path, b"<x/>")
    for transaction in TRANSACTIONS:
        doors.inside(transaction, b"<x/>")
    doors.inside("ITI-42", f'<SubmitObjectsRequest xmlns="{LCM}"><x/></SubmitObjectsRequest>'.encode())
    doors.documents([b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>"] * 50)
    doors.inside("ITI-18", messages.query_body(messages.FIND_DOCUMENTS, {"$XDSDocumentEntryPatientId": f"'{PATIENT}'"}))
    for octets in (b"<x/>", b"{}"):
        doors.token(octets)
        doors.assertion(octets)
        doors.message(octets)
        doors.check(octets)
        doors.fhir("POST", "/fhir", octets)
        doors.patient("POST", "/fhir/Patient", octets)
        doors.fhir("GET", "/fhir/DocumentReference", query="type=x")


@contextmanager
def _audited(settings: Settings) -> Iterator[Actors]:
    actors = open_actors(settings)
    audit = started_audit(settings, actors.units, actors.auditor.trail)
    try:
        yield actors
    finally:
        if audit is not None:
            audit.stop()
        actors.units.close()


@contextmanager
def _feeding(settings: Settings, actors: Actors) -> Iterator[int]:
    port = open_port(settings)
    assert port is not None
    assert actors.registry is not None
    attendant = Attendant(port, actors.registry, actors.auditor, RefusedHandshakes(), actors.counts.traffic)
    attendant.start()
    try:
        yield port.listening.getsockname()[1]
    finally:
        attendant.stop()
        port.close()
