"""What rules look at: one exchange of the run with all that is known about it, and the laboratory it happens in."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from lxml import etree

from conformance.client.http_reading import Connection
from conformance.client.received import Received
from conformance.client.scenarios import People, Step
from conformance.failures import KitError
from conformance.judgement import Message
from conformance.nist.mtom import Part, octets_of_base64
from conformance.nist.registry_objects import RegistryObjects, read_registry_objects
from conformance.nist.xml import BadXml, parse
from conformance.sentence import Sentence

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
XDS_B = "urn:ihe:iti:xds-b:2007"
Pem = TypeVar("Pem")
XOP = "http://www.w3.org/2004/08/xop/include"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a requirement is not met: what was found and expected, where, and the octets or text that show it."""

    fr: str
    en: str
    location: str = ""
    evidence: str = ""


Problems = Iterator[Problem]


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A request and its answer, in a step of a scenario. `mode` names the connection: TLS, address, certificate."""

    id: str
    time: datetime
    step: Step
    connection: Connection
    received: Received
    answered: Received
    problem: str = ""

    @cached_property
    def transaction(self) -> str:
        return self.received.transaction

    @cached_property
    def documents(self) -> Mapping[str, bytes]:
        """Octets of the documents of a submission by the id of their entry; inline or by Include."""
        if self.received.payload is None:
            return {}
        return {
            one.get("id", ""): octets
            for one in self.received.payload.iterfind(f"{{{XDS_B}}}Document")
            if (octets := content_of(one, self.received.parts)) is not None
        }

    @cached_property
    def objects(self) -> RegistryObjects:
        """Objects of a submission, or of an empty one."""
        payload = self.received.payload
        return read_registry_objects(etree.Element("none") if payload is None else payload)

    @cached_property
    def found(self) -> RegistryObjects:
        """Objects of an answer."""
        payload = self.answered.payload
        return read_registry_objects(etree.Element("none") if payload is None else payload)

    @property
    def is_success(self) -> bool:
        """Did the server say that it was done?"""
        payload = self.answered.payload
        if payload is None:
            return False
        text = etree.tostring(payload, encoding="UTF-8")
        marks = (b"ResponseStatusType:Success", b">DMPOk<", b'typeCode="AA"', b'typeCode code="AA"')
        return any(mark in text for mark in marks)


def replayed(message: Message, step: Step, sender: Connection | None = None) -> Exchange:
    """An exchange that was kept; without `sender`, who was at the other end is told in words alone."""
    return Exchange(
        id=message.id,
        time=message.time,
        step=step,
        connection=sender or Connection(address=message.peer),
        received=Received.of(message.request),
        answered=Received.of(message.answer),
        problem=message.problem,
    )


def content_of(element: etree._Element, parts: Sequence[Part]) -> bytes | None:
    """Octets of an `xds:Document`; None where they are not there."""
    include = element.find(f"{{{XOP}}}Include")
    if include is None:
        return octets_of_base64(element.text or "") if element.text else None
    wanted = include.get("href", "").removeprefix("cid:")
    return next((one.content for one in parts if one.content_id == wanted), None)


@dataclass(frozen=True, kw_only=True)
class Laboratory:
    """What the rules compare with: people, authorities of the test IGC and their lists of revoked certificates, value
    sets, schemas. Files are read once."""

    people: People
    authorities: tuple[x509.Certificate, ...]
    revocations: tuple[x509.CertificateRevocationList, ...] = ()
    schemas: Path = SCHEMAS

    @cached_property
    def payload_schema(self) -> etree.XMLSchema:
        """All messages of registry, repository and records as one schema."""
        xsd = "http://www.w3.org/2001/XMLSchema"
        whole = etree.Element(f"{{{xsd}}}schema", nsmap={"xs": xsd})
        for name, namespace in _MESSAGE_SCHEMAS.items():
            location = (self.schemas / "xsd" / name).as_uri()
            etree.SubElement(whole, f"{{{xsd}}}import", namespace=namespace, schemaLocation=location)
        return etree.XMLSchema(whole)

    @cached_property
    def document_schema(self) -> etree.XMLSchema:
        return etree.XMLSchema(etree.parse(self.schemas / "cda" / "cda.xsd"))

    def codes(self, value_set: str) -> frozenset[tuple[str, str]]:
        """(code, system) of a value set, by the beginning of its file name: `JDV_J66`."""
        return frozenset((row["code"], row["system"]) for row in _rows(self.schemas, value_set))

    def rows(self, value_set: str) -> tuple[Mapping[str, str], ...]:
        return _rows(self.schemas, value_set)


_MESSAGE_SCHEMAS = {
    "rim.xsd": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0",
    "lcm.xsd": "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0",
    "query.xsd": "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0",
    "xds_b.xsd": XDS_B,
    "hl7v3_records.xsd": "urn:hl7-org:v3",
    "dmp_habilitations.xsd": "urn:si-dmp-habilitations",
    "dmp_patients.xsd": "urn:si-dmp-patients",
}


@cache
def _rows(schemas: Path, value_set: str) -> tuple[Mapping[str, str], ...]:
    [file] = (schemas / "valuesets").glob(f"{value_set}_*.csv")
    with file.open(encoding="utf-8", newline="") as opened:
        return tuple(csv.DictReader(opened))


def read_authorities(trust: Path) -> tuple[x509.Certificate, ...]:
    """Certificates of a folder of PEM files. Raises KitError."""
    return tuple(_loaded(x509.load_pem_x509_certificate, file) for file in sorted(trust.glob("*.pem")))


def read_revocations(trust: Path) -> tuple[x509.CertificateRevocationList, ...]:
    """Lists of revoked certificates of a folder of PEM files. Raises KitError."""
    return tuple(_loaded(x509.load_pem_x509_crl, file) for file in sorted(trust.glob("*.crl")))


def _loaded(load: Callable[[bytes], Pem], file: Path) -> Pem:
    try:
        return load(file.read_bytes())
    except (OSError, ValueError) as problem:
        fr, en = f"{file} : ce PEM ne peut pas être lu", f"{file}: this PEM cannot be read"
        raise KitError(Sentence(f"{fr} ({problem})", f"{en} ({problem})")) from None


def parsed(octets: bytes) -> etree._Element | None:
    """The root element; None when it is no XML."""
    try:
        return parse(octets)
    except BadXml:
        return None
