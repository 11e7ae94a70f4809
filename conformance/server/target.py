"""The server that probes are aimed at: its addresses, who calls, and the messages they send."""

import ssl
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path

from lxml import etree

from conformance.nist.mtom import Part, write_multipart
from conformance.population.bodies import forms
from conformance.population.chance import Chance
from conformance.population.documents import Document, documents_of
from conformance.population.people import Patient, Professional, employees, patients, professionals
from conformance.population.pki import Credential, Pki, Use, read_credential
from conformance.population.submissions import PROVIDE, WSA, XDS_B, XOP, contents_of, provide_payload
from conformance.population.write_set import MANIFEST, read_manifest
from conformance.server.configuration import Dmp, ServerConfiguration
from conformance.server.exchange import SOAP, Reply, Wire
from conformance.server.probe import NotTestable
from conformance.vihf import Claim, make_vihf, security_header

QUERY = "urn:ihe:iti:2007:RegistryStoredQuery"
RETRIEVE = "urn:ihe:iti:2007:RetrieveDocumentSet"
_FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
_APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
# Reading a key proves it first, which takes longer than to sign with it; the same few are asked for all the time.
_credential = cache(read_credential)


class Target:
    """Made once for a run. Without `[dmp]` nobody is known to the server, and messages carry no assertion."""

    def __init__(self, configuration: ServerConfiguration, wire: Wire) -> None:
        self.configuration, self.wire = configuration, wire

    # --- who and where ---------------------------------------------------------------------------

    @property
    def dmp(self) -> Dmp:
        if self.configuration.dmp is None:
            raise NotTestable(
                "le serveur n'annonce pas le DMP : il n'y a pas de section [dmp]",
                "the server does not claim the DMP: there is no section [dmp]",
            )
        return self.configuration.dmp

    @property
    def registry(self) -> str:
        return self._address("registry")

    @property
    def repository(self) -> str:
        return self._address("repository")

    def _address(self, name: str) -> str:
        for section in (self.configuration.dmp, self.configuration.xds):
            if section is not None and (found := getattr(section, name)):
                return str(found)
        raise NotTestable(f"aucune adresse donnée : {name}", f"there is no address of a {name}")

    @cached_property
    def manifest(self) -> Mapping[str, object]:
        return read_manifest(self.dmp.data)

    @property
    def seed(self) -> int:
        return int(str(self.manifest["seed"]))

    @cached_property
    def professionals(self) -> tuple[Professional, ...]:
        """Those with a card."""
        return tuple(one for one in professionals(self.seed) if one.has_card)

    @property
    def doctor(self) -> Professional:
        return self.professionals[0]

    @cached_property
    def employee(self) -> Professional:
        """Who has the card of an employee (CPE). Raises NotTestable for a data set of before there was one."""
        found = employees(self.seed)[0]
        if not self.certificate(found, Use.SIGNATURE).exists():
            raise NotTestable(
                f"{self.dmp.data} : le jeu de données n'a pas de carte d'employé : refaites-le",
                f"{self.dmp.data}: the data set has no card of an employee: make it anew",
            )
        return found

    @cached_property
    def patients(self) -> Mapping[str, Patient]:
        """The first patient of each state."""
        made = datetime.fromisoformat(str(self.manifest["now"]))
        found: dict[str, Patient] = {}
        for one in patients(self.seed, int(str(self.manifest["patients"])), made.date()):
            found.setdefault(one.state.name, one)
        return found

    def patient(self, state: str = "open") -> Patient:
        if state not in self.patients:
            raise NotTestable(
                f"{self.dmp.data / MANIFEST} : le jeu de données n'a pas de patient dans l'état {state}",
                f"{self.dmp.data / MANIFEST}: the data set has no patient in the state {state}",
            )
        return self.patients[state]

    def credential(self, professional: Professional, use: Use) -> Credential:
        return _credential(self.certificate(professional, use))

    def certificate(self, professional: Professional, use: Use) -> Path:
        return self.dmp.data / "pki" / "issued" / f"{professional.holder}-{use.value}.pem"

    @cached_property
    def strangers(self) -> Pki:
        """Authorities of the same names that nobody trusts."""
        return Pki(self.seed + 1, datetime.now(UTC).replace(microsecond=0) - timedelta(days=1))

    @cached_property
    def stranger(self) -> Credential:
        """A card of those authorities, in the name of the doctor."""
        one = self.doctor
        return self.strangers.card(one.identifier, one.family, one.given, one.title, Use.SIGNATURE)

    # --- TLS -------------------------------------------------------------------------------------

    def context(self, certificate: Path | None) -> ssl.SSLContext:
        """What a client connects with; None shows no certificate. Raises KitError."""
        tls = self.configuration.tls
        if tls is None:
            raise NotTestable(
                "le serveur n'est pas joint en https : il n'y a pas de section [tls]",
                "the server is not reached by https: there is no section [tls]",
            )
        return replace(tls, certificate=certificate).context()

    def caller_context(self, caller: Professional) -> ssl.SSLContext | None:
        """The card of the caller; None for a server that speaks plain HTTP."""
        if self.configuration.tls is None:
            return None
        return self.context(self.certificate(caller, Use.AUTHENTICATION))

    # --- messages --------------------------------------------------------------------------------

    def assertion(
        self,
        claim: Claim,
        signer: Credential | None,
        *,
        now: datetime | None = None,
        life: timedelta = timedelta(minutes=5),
    ) -> etree._Element:
        made = now or datetime.now(UTC).replace(microsecond=0)
        return make_vihf(claim, signer, identifier=f"_{uuid.uuid4()}", now=made, life=life)

    def header(self, caller: Professional, patient: Patient | None, *, purpose: str = "normal") -> bytes:
        """The security header of a good call; empty when the server claims no DMP."""
        claim = caller.claim("" if patient is None else patient.cx, purpose=purpose)
        return security_header(self.assertion(claim, self.credential(caller, Use.SIGNATURE)))

    def envelope(self, action: str, body: bytes, header: bytes = b"", *, namespace: str = SOAP) -> bytes:
        """A SOAP message with its addressing."""
        return (
            f'<soap:Envelope xmlns:soap="{namespace}" xmlns:wsa="{WSA}"><soap:Header>'
            f'<wsa:Action soap:mustUnderstand="true">{action}</wsa:Action>'
            f"<wsa:MessageID>urn:uuid:{uuid.uuid4()}</wsa:MessageID>"
            f"<wsa:ReplyTo><wsa:Address>{WSA}/anonymous</wsa:Address></wsa:ReplyTo>"
        ).encode() + b"%s</soap:Header><soap:Body>%s</soap:Body></soap:Envelope>" % (header, body)

    def post(
        self, url: str, action: str, message: bytes, *, transaction: str, caller: Professional | None = None
    ) -> Reply:
        """A plain SOAP message, over the connection of a caller."""
        kind = f'application/soap+xml; charset=UTF-8; action="{action}"'
        tls = None if caller is None else self.caller_context(caller)
        return self.wire.send("POST", url, message, {"Content-Type": kind}, transaction=transaction, tls=tls)

    def call(
        self,
        url: str,
        action: str,
        body: bytes,
        *,
        transaction: str,
        patient: Patient | None,
        caller: Professional,
        purpose: str = "normal",
    ) -> Reply:
        """A good call: card, VIHF, addressing."""
        message = self.envelope(action, body, self.header(caller, patient, purpose=purpose))
        return self.post(url, action, message, transaction=transaction, caller=caller)

    def search(self, caller: Professional, patient: Patient) -> Reply:
        """FindDocuments, approved ones [ITI-18]."""
        body = find_documents(patient.cx)
        return self.call(self.registry, QUERY, body, transaction="TD3.1", patient=patient, caller=caller)

    def retrieve(self, caller: Professional, document: Document) -> Reply:
        """Retrieve Document Set [ITI-43], in MTOM."""
        body = (
            f'<x:RetrieveDocumentSetRequest xmlns:x="{XDS_B}"><x:DocumentRequest><x:RepositoryUniqueId>'
            f"{self.dmp.repository_id}</x:RepositoryUniqueId><x:DocumentUniqueId>{document.unique_id}"
            "</x:DocumentUniqueId></x:DocumentRequest></x:RetrieveDocumentSetRequest>"
        ).encode()
        message = self.envelope(RETRIEVE, body, self.header(caller, document.patient))
        return self._multipart(RETRIEVE, message, (), caller, "TD3.2")

    def feed(
        self, caller: Professional, document: Document, content: bytes | None = None, *, transaction: str = "TD2.1"
    ) -> Reply:
        """Provide and Register [ITI-41]; `content` takes the place of the octets, whose hash is then told."""
        payload = provide_payload([document], Chance(self.seed, "probe", uuid.uuid4()), content=content)
        octets = content if content is not None else next(iter(contents_of([document]).values()))
        for element in payload.iter(f"{{{XDS_B}}}Document"):
            etree.SubElement(element, f"{{{XOP}}}Include", {"href": "cid:document@kit.example"}, {"xop": XOP})
        body = etree.tostring(payload)
        part = Part(content_id="document@kit.example", content_type="application/octet-stream", content=octets)
        message = self.envelope(PROVIDE, body, self.header(caller, document.patient))
        return self._multipart(PROVIDE, message, (part,), caller, transaction)

    def _multipart(
        self, action: str, message: bytes, parts: Sequence[Part], caller: Professional, transaction: str
    ) -> Reply:
        content_type, body = write_multipart(message, parts, action=action)
        headers, tls = {"Content-Type": content_type}, self.caller_context(caller)
        return self.wire.send("POST", self.repository, body, headers, transaction=transaction, tls=tls)

    def service(self, name: str) -> str:
        """The address of `patients`, `patients_pdq`, `patients_specific` or `habilitations`. Raises NotTestable."""
        found = str(getattr(self.dmp, name)) or (self.dmp.patients if name.startswith("patients") else "")
        if not found:
            raise NotTestable(
                f"ce service n'a pas d'adresse : [dmp] {name}", f"there is no address of this service: [dmp] {name}"
            )
        return found

    def new_document(self, patient: Patient, form: int = 0, author: Professional | None = None) -> Document:
        """One that this run alone has; `form` chooses the media type of its body."""
        chosen = author or self.doctor
        index = int.from_bytes(uuid.uuid4().bytes[:6], "big")
        now = datetime.now(UTC).replace(microsecond=0, tzinfo=None)
        made = next(documents_of(self.seed, patient, index, (chosen,), now, 1))
        return with_form(made, form)


def with_form(document: Document, form: int) -> Document:
    """The same document with a body of another media type."""
    return replace(document, form=forms()[form % len(forms())])


def find_documents(patient: str) -> bytes:
    """The query of ITI-18 for approved documents of a CX."""
    return (
        '<q:AdhocQueryRequest xmlns:q="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0" '
        'xmlns:r="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"><q:ResponseOption returnComposedObjects="true" '
        f'returnType="LeafClass"/><r:AdhocQuery id="{_FIND_DOCUMENTS}">'
        f"{_slot('$XDSDocumentEntryPatientId', escaped(patient))}"
        f"{_slot('$XDSDocumentEntryStatus', f'({_APPROVED!r})')}"
        "</r:AdhocQuery></q:AdhocQueryRequest>"
    ).encode()


def escaped(patient: str) -> str:
    """A CX in quotes, as text of XML; CX-5 is no part of a query's."""
    found = patient.removesuffix("^NH").replace("&", "&amp;")
    return f"'{found}'"


def _slot(name: str, value: str) -> str:
    return f'<r:Slot name="{name}"><r:ValueList><r:Value>{value}</r:Value></r:ValueList></r:Slot>'
