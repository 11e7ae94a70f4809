"""A request as it came, read as far as it can be: HTTP head, media type, MIME parts, SOAP envelope. Never raises.

Judging starts where reading ends: what is missing or broken is an empty value here, and a finding of a rule there.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from lxml import etree

from conformance.client import fhir_messages
from conformance.client.fhir_messages import Resource
from conformance.client.http_reading import MOST_OCTETS
from conformance.failures import ExchangeFailed
from conformance.nist.mtom import Part, media_type, read_multipart
from conformance.nist.xml import BadXml, local_name, parse, text_of
from conformance.sentence import Sentence, sentence_of

SOAP_12, SOAP_11 = "http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/"
WSA = "http://www.w3.org/2005/08/addressing"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
_ITI, _V3 = "urn:ihe:iti", "urn:hl7-org:v3"
_HABILITATIONS, _PATIENTS = "urn:si-dmp-habilitations", "urn:si-dmp-patients"

# Element in the Body, reason code (`*`: any) -> transaction. DMP 3
TRANSACTIONS: Mapping[tuple[str, str], str] = {
    ("ProvideAndRegisterDocumentSetRequest", "*"): "ITI-41",
    ("AdhocQueryRequest", "*"): "ITI-18",
    ("RetrieveDocumentSetRequest", "*"): "ITI-43",
    ("SubmitObjectsRequest", "*"): "ITI-57",
    ("PRPA_IN201307UV02", "TEST_EXST"): "TD0.2",
    ("PRPA_IN201307UV02", "CNSLT_DATA"): "TD1.3a",
    ("PRPA_IN201307UV02", "*"): "TD0.2",
    ("PRPA_IN201305UV02", "*"): "TD0.5",
    ("PRPA_IN201311UV02", "*"): "TD1.1",
    ("PRPA_IN201314UV02", "REAC"): "TD1.2",
    ("PRPA_IN201314UV02", "MODIF_DATA"): "TD1.3b",
    ("PRPA_IN201314UV02", "FERM"): "TD1.4",
    ("PRPA_IN201314UV02", "*"): "TD1.4",
    ("setAuthorization", "*"): "TD0.3",
    ("patientList", "*"): "TD0.4",
    ("createPatientAccess", "*"): "TD1.5a",
    ("patientOTPUpdate", "*"): "TD1.5b",
    ("updatePatientAccess", "*"): "TD1.5d",
    ("listAuthorizationByPatient", "*"): "TD1.6",
}
# Element in the Body -> the actions that name it; those after the first are seen on the wire too. DMP W02
ACTIONS: Mapping[str, tuple[str, ...]] = {
    "ProvideAndRegisterDocumentSetRequest": (f"{_ITI}:2007:ProvideAndRegisterDocumentSet-b",),
    "AdhocQueryRequest": (f"{_ITI}:2007:RegistryStoredQuery",),
    "RetrieveDocumentSetRequest": (f"{_ITI}:2007:RetrieveDocumentSet",),
    "SubmitObjectsRequest": (f"{_ITI}:2010:UpdateDocumentSet",),
    **{f"PRPA_IN2013{number}UV02": (f"{_V3}:PRPA_IN2013{number}UV02",) for number in ("05", "07", "11", "14")},
    **{
        name: (f"{_HABILITATIONS}:HabilitationsEndPoint:{name}", f"{_V3}:{name}")
        for name in ("setAuthorization", "listAuthorizationByPatient")
    },
    **{
        name: (f"{_PATIENTS}:PatientSpecificEndPoint:{name}", f"{_V3}:{name}")
        for name in ("patientList", "createPatientAccess", "patientOTPUpdate", "updatePatientAccess")
    },
}


@dataclass(frozen=True)
class Received:
    """One request, or one answer: octets of the HTTP head and of the body, transfer coding taken off."""

    head: bytes
    body: bytes

    @classmethod
    def of(cls, octets: bytes) -> "Received":
        """From the octets of a whole message."""
        head, _, body = octets.partition(b"\r\n\r\n")
        received = cls(head, body)
        if "chunked" in received.headers.get("transfer-encoding", "").lower():
            return cls(head, _unchunked(body))
        return received

    @cached_property
    def lines(self) -> list[str]:
        return self.head.decode("latin-1").split("\r\n")

    @cached_property
    def path(self) -> str:
        words = self.lines[0].split(" ")
        return words[1] if len(words) == 3 else ""

    @cached_property
    def status(self) -> int:
        """Of an answer; 0 where there is none."""
        words = self.lines[0].split(" ")
        return int(words[1]) if len(words) > 1 and words[0].startswith("HTTP/") and words[1].isdigit() else 0

    @cached_property
    def headers(self) -> dict[str, str]:
        pairs = (line.partition(":") for line in self.lines[1:])
        return {name.strip().lower(): value.strip() for name, _, value in pairs}

    @cached_property
    def media(self) -> tuple[str, dict[str, str]]:
        return media_type(self.headers.get("content-type", ""))

    @cached_property
    def _unpacked(self) -> tuple[bytes, list[Part], str]:
        """Root octets, other parts, and why the packaging cannot be read."""
        body = self.body
        try:
            if self.headers.get("content-encoding", "").lower() == "gzip":
                body = _unzipped(body)
            kind, parameters = self.media
            return (*read_multipart(parameters, body), "") if kind == "multipart/related" else (body, [], "")
        except (ExchangeFailed, zlib.error, ValueError) as problem:
            return b"", [], sentence_of(problem)

    @property
    def root(self) -> bytes:
        return self._unpacked[0]

    @property
    def parts(self) -> list[Part]:
        return self._unpacked[1]

    @cached_property
    def _parsed(self) -> tuple[etree._Element | None, str]:
        if self._unpacked[2]:
            return None, self._unpacked[2]
        if not self.root:
            return None, Sentence("le corps est vide", "the body is empty")
        try:
            return parse(self.root), ""
        except BadXml as problem:
            return None, str(problem)

    @property
    def envelope(self) -> etree._Element | None:
        """The root element, SOAP or not; None when it is not XML."""
        return self._parsed[0]

    @property
    def problem(self) -> str:
        """Why there is no envelope."""
        return self._parsed[1]

    @cached_property
    def header(self) -> etree._Element | None:
        return self._child("Header")

    @cached_property
    def payload(self) -> etree._Element | None:
        """The first element of the Body; None without one."""
        body = self._child("Body")
        return None if body is None else next(body.iterchildren("*"), None)

    @cached_property
    def is_fhir(self) -> bool:
        """Does the request go to the FHIR base?"""
        return self.path.startswith(f"{fhir_messages.BASE}/") or self.path == fhir_messages.BASE

    @cached_property
    def resource(self) -> Resource:
        """The FHIR resource in the body; empty without one."""
        return fhir_messages.resource_of(self.body, self.media[0])

    def _child(self, name: str) -> etree._Element | None:
        """In the namespace of either SOAP version: which one is a rule's business."""
        if self.envelope is None:
            return None
        found = (self.envelope.find(f"{{{namespace}}}{name}") for namespace in (SOAP_12, SOAP_11))
        return next((one for one in found if one is not None), None)

    def addressed(self, name: str) -> str:
        """Text of a WS-Addressing header, empty without it."""
        found = None if self.header is None else self.header.find(f"{{{WSA}}}{name}")
        return "" if found is None else text_of(found)

    @cached_property
    def assertion(self) -> etree._Element | None:
        if self.is_fhir:
            return fhir_messages.bearer_assertion(self.headers.get("authorization", ""))
        return None if self.header is None else next(self.header.iter(f"{{{SAML}}}Assertion"), None)

    @cached_property
    def transaction(self) -> str:
        """`ITI-41`, `TD0.2`…; empty when it is none that a client of the DMP sends."""
        if self.is_fhir:
            return fhir_messages.transaction_of(self.lines[0].split(" ")[0], self.path, self.media[0])
        if self.payload is None:
            return ""
        name = local_name(self.payload)
        reason = self.payload.find(".//{*}reasonCode")
        code = "" if reason is None else reason.get("code", "")
        return TRANSACTIONS.get((name, code)) or TRANSACTIONS.get((name, "*"), "")


def _unzipped(body: bytes) -> bytes:
    """As it was before gzip, no longer than a message may be. Raises zlib.error and ValueError."""
    unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    found = unzip.decompress(body, MOST_OCTETS)
    if not unzip.eof:
        raise ValueError(Sentence("le gzip est coupé ou trop long", "the gzip is cut or too long"))
    return found


def _unchunked(body: bytes) -> bytes:
    """As far as the chunks go."""
    found, at = [], 0
    while (end := body.find(b"\r\n", at)) >= 0:
        try:
            size = int(body[at:end].split(b";")[0], 16)
        except ValueError:
            break
        if size <= 0:
            break
        found.append(body[end + 2 : end + 2 + size])
        at = end + 4 + size
    return b"".join(found)
