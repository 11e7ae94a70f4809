"""Faulty servers: Carnet with one thing wrong, one for each requirement. The table is in the documentation.

A fault stands between the kit and Carnet, where TLS ends: it changes a request, an answer, or answers in place of
Carnet. It can be watched as well: where it would have changed anything.
"""

import base64
import http.client
import re
import ssl
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509

from conformance.client.http_reading import Ask
from conformance.client.recorder import Recorder, written
from conformance.population.pki import Pki
from conformance.population.write_set import read_manifest, read_table
from tests.conformance.dmp_under_test import a_data_set, know, settings_of
from tests.servers import Server, in_process, know_patients, settings_for
from xds.datatypes import CX

Next = Callable[[Ask], bytes]
CERTIFICATE = "X-Test-Certificate"


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a fault knows besides the message: the authority that nobody trusts, and what happened in this run."""

    stranger: bytes
    state: dict[str, Any] = field(default_factory=dict)

    def is_strange(self, certificate: x509.Certificate) -> bool:
        key = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        return key == self.stranger


Act = Callable[[Ask, Next, Place], bytes]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One mutation of the server: what it does in words, and the act on messages, or on the context of TLS.

    `tests` that show it: of a kit few of those that judge its requirement, of probes all, and those that come before.
    """

    requirement: str
    what: str
    act: Act | None = None
    tls: str = ""
    tests: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.requirement


# --- the place between the kit and Carnet ----------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Behind:
    """Carnet of the domain dmp, Carnet open for FHIR, and the data set both know; `strangers` nobody trusts."""

    data: Path
    record: Server
    fhir: Server
    strangers: Pki

    def forward(self, ask: Ask) -> bytes:
        """The answer of Carnet, which is told who showed which certificate."""
        line, *lines = ask.head.decode("latin-1").split("\r\n")
        method, path, _ = line.split(" ")
        server = self.fhir if path.startswith("/fhir") else self.record
        where = urlsplit(server.url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port or 80, timeout=60)
        try:
            headers = {name.strip(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
            kept = {name: value for name, value in headers.items() if name.lower() not in ("content-length", "host")}
            kept[CERTIFICATE] = base64.b64encode(ask.connection.certificate).decode("ascii")
            connection.request(method, path, ask.body or None, kept)
            return written(connection.getresponse())
        finally:
            connection.close()


@contextmanager
def behind(folder: Path) -> Iterator[Behind]:
    """Both servers in this process."""
    data = a_data_set(folder / "data")
    settings = settings_of(data, folder / "record")
    know(settings, data)
    fhir = settings_for(folder / "fhir", domain="dmp")
    with in_process(fhir) as opened, in_process(settings, _peer) as recorded:
        strangers = Pki(int(read_manifest(data)["seed"]) + 1, datetime.now(UTC))
        one = Behind(data=data, record=recorded, fhir=opened, strangers=strangers)
        know_patients(fhir, *(CX(row["cx"]) for row in read_table(data, "patients.csv")))
        yield one


def _peer(environ: Any) -> bytes | None:
    return base64.b64decode(environ.get(f"HTTP_{CERTIFICATE.upper().replace('-', '_')}", "")) or None


class Gate:
    """A server with faults, at `url`; which ones may change while it runs.

    Faults may also be watched: `touched` is where each would have changed a request or an answer, by requirement.
    """

    def __init__(self, carnet: Behind, faults: Sequence[Fault] = ()) -> None:
        self._carnet, self._watched = carnet, tuple[tuple[Fault, Place], ...]()
        self._where: Callable[[], str] = str
        self.touched: dict[str, set[str]] = {}
        self.use(*faults)
        self.recorder = Recorder(
            ("127.0.0.1", 0),
            context=lambda: self._context,
            backend="",
            answering=self._answer,
            on_recorded=lambda recorded: None,
        )

    @property
    def url(self) -> str:
        return f"https://localhost:{self.recorder.port}"

    def use(self, *faults: Fault) -> None:
        """From now on the server has these faults, and knows nothing of what was before."""
        self._faults, self._place = faults, self._new_place()
        self._context = _context(self._carnet.data, {one.tls for one in faults}, self._carnet.strangers)

    def watch(self, *faults: Fault, where: Callable[[], str]) -> None:
        """`where`: what is tried now."""
        self._watched, self._where = tuple((one, self._new_place()) for one in faults), where

    def _new_place(self) -> Place:
        certificate = self._carnet.strangers.persons.certificate
        key = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return Place(stranger=key.digest)

    def _answer(self, ask: Ask, _forward: Next) -> bytes:
        following: Next = self._carnet.forward
        for one in reversed(self._faults):
            if one.act is not None:
                following = _around(one.act, following, self._place)
        answer = following(ask)
        for one, place in self._watched:
            if one.act is not None and _would_change(one.act, ask, answer, place):
                self.touched.setdefault(one.requirement, set()).add(self._where())
        return answer


def _would_change(act: Act, ask: Ask, answer: bytes, place: Place) -> bool:
    asked: list[Ask] = []

    def following(passed: Ask) -> bytes:
        asked.append(passed)
        return answer

    return act(ask, following, place) != answer or asked != [ask]


@contextmanager
def faulty(carnet: Behind, faults: Sequence[Fault] = ()) -> Iterator[Gate]:
    """Open while it is used."""
    gate = Gate(carnet, faults)
    gate.recorder.start()
    try:
        yield gate
    finally:
        gate.recorder.stop()


def _around(act: Act, following: Next, place: Place) -> Next:
    return lambda ask: act(ask, following, place)


def _context(data: Path, faults: set[str], strangers: Pki) -> ssl.SSLContext:
    """The context of a server without fault, then what is wrong with it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    file = data / "pki" / "issued" / "server-server.pem"
    context.load_cert_chain(file, file.with_suffix(".key"))
    for trusted in sorted((data / "pki" / "trust").glob("*.pem")):
        context.load_verify_locations(cafile=str(trusted))
    context.verify_mode = ssl.CERT_OPTIONAL if "no certificate" in faults else ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    suites = "AES128-GCM-SHA256:AES128-SHA" if "no forward secrecy" in faults else "ECDHE+AESGCM:ECDHE+AES"
    if "old protocol" in faults:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1_1
        suites += ":@SECLEVEL=0"
    context.set_ciphers(suites)
    if "any authority" in faults:
        pem = b"".join(one.certificate_pem for one in (strangers.root, strangers.persons))
        context.load_verify_locations(cadata=pem.decode("ascii"))
    return context


# --- what faults are made of -----------------------------------------------------------------------

SOAP = "http://www.w3.org/2003/05/soap-envelope"
_SUCCESS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"


def enveloped(body: str) -> bytes:
    """A SOAP answer as octets of HTTP."""
    octets = f'<s:Envelope xmlns:s="{SOAP}"><s:Body>{body}</s:Body></s:Envelope>'.encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml; charset=UTF-8\r\nContent-Length: %d\r\n\r\n"
    return head % len(octets) + octets


DONE = enveloped(f'<rs:RegistryResponse xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0" status="{_SUCCESS}"/>')
FOUND = enveloped(
    f'<q:AdhocQueryResponse xmlns:q="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0" status="{_SUCCESS}">'
    '<r:RegistryObjectList xmlns:r="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"/></q:AdhocQueryResponse>'
)
GIVEN = enveloped(
    '<x:RetrieveDocumentSetResponse xmlns:x="urn:ihe:iti:xds-b:2007"><x:DocumentResponse><x:Document>AAAA'
    "</x:Document></x:DocumentResponse></x:RetrieveDocumentSetResponse>"
)


def resized(answer: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The answer with another body, and its length."""
    head, _, body = answer.partition(b"\r\n\r\n")
    new = change(body)
    return re.sub(rb"(?i)content-length: \d+", b"Content-Length: %d" % len(new), head) + b"\r\n\r\n" + new


def has(*words: str) -> Callable[[Ask], bool]:
    """Whether a request has all of these."""
    return lambda ask: all(one.encode() in ask.head + ask.body for one in words)


def rewriting(is_meant: Callable[[Ask], bool], pattern: str, new: str) -> Act:
    """Answers to requests that are meant are changed."""
    expression = re.compile(pattern.encode(), re.DOTALL)

    def act(ask: Ask, following: Next, place: Place) -> bytes:
        answer = following(ask)
        return resized(answer, lambda body: expression.sub(new.encode(), body)) if is_meant(ask) else answer

    return act


def answering(is_meant: Callable[[Ask], bool], answer: bytes) -> Act:
    """Requests that are meant get this answer, and nothing is done."""
    return lambda ask, following, place: answer if is_meant(ask) else following(ask)


def instead(is_meant: Callable[[Ask, Place], bool], answer: bytes) -> Act:
    """The same, where more than the request is asked."""
    return lambda ask, following, place: answer if is_meant(ask, place) else following(ask)


def telling(pattern: str, new: str) -> Act:
    """The request that reaches Carnet is another one."""

    def act(ask: Ask, following: Next, place: Place) -> bytes:
        changed = re.sub(pattern.encode(), new.encode(), ask.body)
        return following(ask if changed == ask.body else replace(ask, body=changed))

    return act


def signers(ask: Ask) -> list[x509.Certificate]:
    """Of the signatures in a message."""
    found = re.findall(rb"X509Certificate>([^<]+)<", ask.body)
    return [x509.load_der_x509_certificate(base64.b64decode(one)) for one in found]


def is_query(ask: Ask) -> bool:
    return b"AdhocQueryRequest" in ask.body


def is_old_or_new(ask: Ask) -> bool:
    """An assertion issued half an hour from now, or more."""
    found = re.search(rb'IssueInstant="([^"]+)"', ask.body)
    if found is None:
        return False
    away = datetime.now(UTC) - datetime.fromisoformat(found[1].decode())
    return abs(away) > timedelta(minutes=30)


def is_about_another(ask: Ask) -> bool:
    """The assertion names another patient than the query."""
    named = re.search(rb"resource-id[^>]*>\s*<[^>]+>(\d{15})", ask.body)
    asked = re.search(rb"'(\d{15})\^", ask.body)
    return named is not None and asked is not None and named[1] != asked[1]


def is_of_another(ask: Ask) -> bool:
    """The document of a submission is about another patient than its entry."""
    entry = re.search(rb'value="(\d{15})\^', ask.body)
    document = re.search(rb'<recordTarget>.*?extension="(\d{15})"', ask.body, re.DOTALL)
    return entry is not None and document is not None and entry[1] != document[1]


def is_signed_to_authenticate(ask: Ask, place: Place) -> bool:
    """By a certificate of a connection, not of a signature."""
    usages = [one.extensions.get_extension_for_class(x509.KeyUsage).value for one in signers(ask)]
    return any(one.digital_signature and not one.content_commitment for one in usages)


def is_signed_by_stranger(ask: Ask, place: Place) -> bool:
    return any(place.is_strange(one) for one in signers(ask))


def is_stranger(ask: Ask, place: Place) -> bool:
    """Whoever connects has a card of an authority that nobody trusts."""
    octets = ask.connection.certificate
    return bool(octets) and place.is_strange(x509.load_der_x509_certificate(octets))


def is_known_without_assertion(ask: Ask, place: Place) -> bool:
    known = bool(ask.connection.certificate) and not is_stranger(ask, place)
    return known and is_query(ask) and b"Security" not in ask.body
